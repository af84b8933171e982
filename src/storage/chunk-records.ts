import { promisify } from 'node:util'
import {
  constants,
  deflateRaw,
  deflateRawSync,
  inflateRaw,
  inflateRawSync,
  type ZlibOptions,
} from 'node:zlib'
import { CHUNK_BYTES } from '../../protocol/index.ts'
import {
  bytesFrom,
  decodeBytes,
  encodeBytes,
  HEADER_BYTES,
  recordDamaged,
  type RecordPlace,
  seal,
  unsealAny,
} from './records.ts'
import type { StoredChunk } from './storage.ts'

/** Deflates, and inflates what is large, on another thread. A simulation, in which nothing happens by itself, puts another in its place. */
export interface ChunkCodec {
  deflate(bytes: Uint8Array): Promise<Uint8Array>
  /** `expectedBytes`: how long the result should be. Another length only takes longer. */
  inflate(bytes: Uint8Array, expectedBytes: number): Promise<Uint8Array>
}

/** Fast: it gets within a tenth of what the thorough levels get out of a text, in a third of their time. */
export const DEFLATE_OPTIONS = { level: 1 } as const
/** Sixteen times what this version puts into a chunk: a bound, not a rule. */
export const INFLATE_OPTIONS = { maxOutputLength: 16 * CHUNK_BYTES } as const

const deflate = promisify<Uint8Array, ZlibOptions, Uint8Array>(deflateRaw)
const inflate = promisify<Uint8Array, ZlibOptions, Uint8Array>(inflateRaw)

/** Node gives its result to zlib in pieces of 16 KiB, each a way to the thread pool and back: 0.2 ms of processor time. One that is a byte longer than the result is filled once. */
const pieceOf = (bytes: number): { chunkSize: number } => ({
  chunkSize: Math.max(constants.Z_MIN_CHUNK, Math.min(bytes, CHUNK_BYTES) + 1),
})

/** The index of most documents. 2 KB take 46 µs of processor time by way of another thread, 10 on the spot. */
const SMALL_BYTES = 8 * 1024

export const threadPoolCodec: ChunkCodec = {
  deflate: (bytes) => deflate(bytes, { ...DEFLATE_OPTIONS, ...pieceOf(bytes.length) }),
  inflate(bytes, expectedBytes) {
    const options = { ...INFLATE_OPTIONS, ...pieceOf(expectedBytes) }
    return expectedBytes > SMALL_BYTES
      ? inflate(bytes, options)
      : Promise.resolve(inflateRawSync(bytes, options))
  },
}

/** The body is deflated. Version 1 has the bytes as they are. */
const DEFLATED_VERSION = 2

/** What saves less than an eighth is stored as it is: pictures, and documents of a few words. */
const WORTH_SHARE = 7 / 8

/** What a chunk is cut from: an update or an index. */
export function* chunksOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += CHUNK_BYTES)
    yield bytes.subarray(start, start + CHUNK_BYTES)
}

/** The same on the spot, for a thread that may take its time: each in a buffer of its own, to be given to another thread. */
export function deflateChunks(...parts: readonly Uint8Array[]): Uint8Array[] {
  return parts
    .flatMap((bytes) => [...chunksOf(bytes)])
    .map(
      (chunk) =>
        new Uint8Array(deflateRawSync(chunk, { ...DEFLATE_OPTIONS, ...pieceOf(chunk.length) })),
    )
}

/** A chunk of a snapshot. Half of a text is saved, of what is written and of what is kept: two snapshots of every document. */
export async function encodeChunk(
  codec: ChunkCodec,
  key: Uint8Array,
  bytes: Uint8Array,
  deflatedAlready?: Uint8Array,
): Promise<Uint8Array> {
  const deflated = deflatedAlready ?? (await codec.deflate(bytes))
  if (deflated.length > bytes.length * WORTH_SHARE) return encodeBytes(key, bytes)
  const value = Buffer.allocUnsafe(HEADER_BYTES + deflated.length)
  value.set(deflated, HEADER_BYTES)
  return seal(key, value, DEFLATED_VERSION)
}

/** The bytes of a chunk as they lie in its record. */
export function storedChunk(key: Uint8Array, stored: Uint8Array, place: RecordPlace): StoredChunk {
  const { value, version } = unsealAny(key, stored, place)
  const isDeflated = version === DEFLATED_VERSION
  return {
    bytes: isDeflated ? bytesFrom(value, HEADER_BYTES) : decodeBytes(key, stored, place),
    isDeflated,
  }
}

/** What `deflateChunks` did, undone on the spot. Throws when it does not take exactly so many bytes. */
export function inflateChunks(chunks: readonly StoredChunk[], byteLength: number): Uint8Array {
  const whole = new Uint8Array(byteLength)
  let offset = 0
  for (const { bytes, isDeflated } of chunks) {
    const options = { ...INFLATE_OPTIONS, ...pieceOf(CHUNK_BYTES) }
    const chunk = isDeflated ? inflateRawSync(bytes, options) : bytes
    whole.set(chunk, offset)
    offset += chunk.length
  }
  if (offset !== byteLength)
    throw new RangeError(`the chunks of a snapshot have ${offset} bytes, not ${byteLength}`)
  return whole
}

export async function decodeChunk(
  codec: ChunkCodec,
  key: Uint8Array,
  stored: Uint8Array,
  place: RecordPlace,
  expectedBytes = CHUNK_BYTES,
): Promise<Uint8Array> {
  const chunk = storedChunk(key, stored, place)
  if (!chunk.isDeflated) return chunk.bytes
  try {
    const bytes = await codec.inflate(chunk.bytes, expectedBytes)
    // A plain Uint8Array, whose `slice` copies.
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
  } catch (error) {
    throw recordDamaged(place, 'cannot be inflated', error)
  }
}
