import { promisify } from 'node:util'
import { constants, deflateRaw, inflateRaw, inflateRawSync, type ZlibOptions } from 'node:zlib'
import { CHUNK_BYTES } from '../../protocol/index.ts'
import {
  decodeBytes,
  encodeBytes,
  HEADER_BYTES,
  recordDamaged,
  type RecordPlace,
  seal,
  unsealAny,
} from './records.ts'

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

/** A chunk of a snapshot. Half of a text is saved, of what is written and of what is kept: two snapshots of every document. */
export async function encodeChunk(
  codec: ChunkCodec,
  key: Uint8Array,
  bytes: Uint8Array,
): Promise<Uint8Array> {
  const deflated = await codec.deflate(bytes)
  if (deflated.length > bytes.length * WORTH_SHARE) return encodeBytes(key, bytes)
  const value = Buffer.allocUnsafe(HEADER_BYTES + deflated.length)
  value.set(deflated, HEADER_BYTES)
  return seal(key, value, DEFLATED_VERSION)
}

export async function decodeChunk(
  codec: ChunkCodec,
  key: Uint8Array,
  stored: Uint8Array,
  place: RecordPlace,
  expectedBytes = CHUNK_BYTES,
): Promise<Uint8Array> {
  const { value, version } = unsealAny(key, stored, place)
  if (version !== DEFLATED_VERSION) return decodeBytes(key, stored, place)
  try {
    const bytes = await codec.inflate(value.subarray(HEADER_BYTES), expectedBytes)
    // A plain Uint8Array, whose `slice` copies.
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
  } catch (error) {
    throw recordDamaged(place, 'cannot be inflated', error)
  }
}
