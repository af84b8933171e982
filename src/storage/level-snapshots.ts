import { CHUNK_BYTES } from '../../protocol/index.ts'
import type { DocumentState } from './document-states.ts'
import { type OpenLevel, UNCACHED } from './database-files.ts'
import type { LevelDatabase, WriteOperation } from './level-database.ts'
import {
  chunkKey,
  type KeyRange,
  manifestKey,
  rowRange,
  rowsBeforeGeneration,
  unsweptKey,
} from './level-keys.ts'
import {
  type ChunkCodec,
  chunksOf,
  decodeChunk,
  encodeChunk,
  storedChunk,
} from './chunk-records.ts'
import { MAX_ROW_ENTRIES } from './log-rows.ts'
import {
  checksumOf,
  decodeManifest,
  encodeBytes,
  encodeManifest,
  type Manifest,
  recordDamaged,
  type RecordPlace,
} from './records.ts'
import type { NewSnapshot, StoredChunk } from './storage.ts'

/** Which snapshot of which document. */
export interface SnapshotAddress {
  readonly name: string
  readonly generation: number
  readonly seq: number
}

/**
 * How much of a snapshot goes into one write. LevelDB writes one batch after the other, so a keystroke waits
 * for at most this.
 */
export const CHUNKS_PER_WRITE = 4

const EMPTY = new Uint8Array()

/**
 * Stores a snapshot that nothing refers to yet. Each write is as durable as the one that will refer to it: an fsync
 * covers earlier writes only as far as LevelDB has not begun a new log file in between.
 */
export async function writeSnapshot(
  database: LevelDatabase,
  address: SnapshotAddress,
  snapshot: NewSnapshot,
): Promise<void> {
  const { name, generation, seq } = address
  const markKey = unsweptKey(name)
  // With the first chunk: whatever a crash leaves of this is found and removed.
  let operations: WriteOperation[] = [
    { type: 'put', key: markKey, value: encodeBytes(markKey, EMPTY) },
  ]
  const chunkChecksums: number[] = []
  for (const bytes of [snapshot.update, snapshot.index]) {
    for (const chunk of chunksOf(bytes)) {
      const number = chunkChecksums.length
      const key = chunkKey(name, generation, seq, number)
      const deflated = snapshot.deflatedChunks?.[number]
      const value = await encodeChunk(database.codec, key, chunk, deflated)
      chunkChecksums.push(checksumOf(value))
      operations.push({ type: 'put', key, value })
      if (operations.length < CHUNKS_PER_WRITE) continue
      await database.write(operations)
      operations = []
    }
  }
  const key = manifestKey(name, generation, seq)
  const value = encodeManifest(key, {
    bytes: snapshot.update.length,
    chunkBytes: CHUNK_BYTES,
    indexBytes: snapshot.index.length,
    chunkChecksums,
  })
  operations.push({ type: 'put', key, value })
  await database.write(operations)
}

/** Null: there is no such snapshot. */
export async function readManifest(
  level: OpenLevel,
  address: SnapshotAddress,
): Promise<Manifest | null> {
  const key = manifestKey(address.name, address.generation, address.seq)
  const stored = await level.get(key)
  return stored === undefined ? null : decodeManifest(key, stored, placeOf(address, 'manifest'))
}

/** Null: the snapshot has no such chunk, or is gone. */
export async function readChunk(
  level: OpenLevel,
  codec: ChunkCodec,
  address: SnapshotAddress,
  manifest: Manifest,
  number: number,
): Promise<Uint8Array | null> {
  const record = await readChunkRecord(level, address, number)
  if (record === null) return null
  const { key, stored, place } = record
  const chunk = await decodeChunk(codec, key, stored, place, chunkLength(manifest, number))
  assertOfManifest(manifest, number, record)
  return chunk
}

/** The same as it is stored. */
export async function readStoredChunk(
  level: OpenLevel,
  address: SnapshotAddress,
  manifest: Manifest,
  number: number,
): Promise<StoredChunk | null> {
  const record = await readChunkRecord(level, address, number)
  if (record === null) return null
  const chunk = storedChunk(record.key, record.stored, record.place)
  assertOfManifest(manifest, number, record)
  if (!chunk.isDeflated && chunk.bytes.length !== chunkLength(manifest, number))
    throw recordDamaged(record.place, 'has another length than its manifest says')
  return chunk
}

interface ChunkRecord {
  readonly key: Uint8Array
  readonly stored: Uint8Array
  readonly place: RecordPlace
}

async function readChunkRecord(
  level: OpenLevel,
  address: SnapshotAddress,
  number: number,
): Promise<ChunkRecord | null> {
  const key = chunkKey(address.name, address.generation, address.seq, number)
  // Who wants it to stay in memory keeps it inflated.
  const stored = await level.get(key, UNCACHED)
  return stored === undefined ? null : { key, stored, place: placeOf(address, `chunk ${number}`) }
}

function assertOfManifest(
  { chunkChecksums }: Manifest,
  number: number,
  { stored, place }: ChunkRecord,
): void {
  if (chunkChecksums.length > 0 && chunkChecksums[number] !== checksumOf(stored))
    throw recordDamaged(place, 'is of another attempt at the same snapshot')
}

export async function readIndex(
  level: OpenLevel,
  codec: ChunkCodec,
  address: SnapshotAddress,
  manifest: Manifest,
): Promise<Uint8Array | null> {
  const first = updateChunks(manifest)
  const index = new Uint8Array(manifest.indexBytes)
  let offset = 0
  for (let number = first; offset < index.length; number++) {
    const chunk = await readChunk(level, codec, address, manifest, number)
    if (chunk === null) return null
    if (chunk.length === 0 || offset + chunk.length > index.length)
      throw recordDamaged(placeOf(address, 'index'), 'has another length than its manifest says')
    index.set(chunk, offset)
    offset += chunk.length
  }
  return index
}

function chunkLength(manifest: Manifest, number: number): number {
  const { bytes, chunkBytes, indexBytes } = manifest
  const ofUpdate = bytes - number * chunkBytes
  const left = ofUpdate > 0 ? ofUpdate : indexBytes - (number - updateChunks(manifest)) * chunkBytes
  return Math.min(left, chunkBytes)
}

/** How many chunks hold the update; those of the index follow. */
export function updateChunks(manifest: Manifest): number {
  return Math.ceil(manifest.bytes / manifest.chunkBytes)
}

export function missing(address: SnapshotAddress): Error {
  return recordDamaged(placeOf(address, 'manifest or chunks'), 'are missing')
}

/**
 * The rows which a document's record no longer needs: other generations, entries that both snapshots hold,
 * other snapshots. `cleanUpTo`: entries up to there are known to be gone, so that their tombstones are not walked again, but for those
 * of a row that goes on behind. `replacedUpTo`: of the entries that both snapshots hold, the last one in a row that holds nothing else.
 */
export function unneededRows(
  name: string,
  state: DocumentState,
  cleanUpTo: number,
  replacedUpTo: number,
): readonly KeyRange[] {
  const { generation, snapshotSeq, previousSeq } = state
  const cleanFrom = Math.max(0, cleanUpTo - MAX_ROW_ENTRIES) + 1
  const ranges = [
    rowsBeforeGeneration('entry', name, generation),
    rowsBeforeGeneration('manifest', name, generation),
    rowsBeforeGeneration('chunk', name, generation),
    rowRange('entry', name, generation, cleanFrom, Math.max(replacedUpTo + 1, cleanFrom)),
  ]
  for (const kind of ['manifest', 'chunk'] as const) {
    ranges.push(rowRange(kind, name, generation, 0, previousSeq))
    ranges.push(
      rowRange(kind, name, generation, previousSeq + 1, Math.max(snapshotSeq, previousSeq + 1)),
    )
    ranges.push(rowRange(kind, name, generation, snapshotSeq + 1, Number.MAX_SAFE_INTEGER))
  }
  return ranges
}

export function placeOf({ name, seq }: SnapshotAddress, part: string): RecordPlace {
  return { name, what: `snapshot ${seq} ${part}` }
}
