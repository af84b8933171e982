import { CHUNKS_PER_WRITE, missing, placeOf, type SnapshotAddress } from './level-snapshots.ts'
import type { DocumentState } from './document-states.ts'
import { type OpenLevel, UNCACHED } from './database-files.ts'
import type { LevelDatabase, WriteOperation } from './level-database.ts'
import { chunkKey, manifestKey, rowRange, seqOfEntryKey, unsweptKey } from './level-keys.ts'
import {
  checksumOf,
  encodeBytes,
  encodeManifest,
  type Manifest,
  recordDamaged,
  reseal,
} from './records.ts'

/** So much of the log's end stays, as a share of the snapshot: clients that lack no more than that need not take the whole document. */
const KEPT_SHARE = 1 / 16

/** Half a snapshot is what a copy takes, deflated: so much of the log must go for it to be worth writing. */
const WORTH_SHARE = 1 / 2

/** LevelDB's default of 16 KiB would mean a call for each large row. */
const BYTES_PER_CALL = 1024 * 1024
const ROWS_PER_CALL = 1000

/**
 * Under which sequence number a copy of the newest snapshot would stand in for the snapshot before it and the log between them; null
 * where these take too little. It lies before the newest: what follows it in the log is in the copy already, and changes nothing when it is
 * read again.
 */
export async function seqForCopy(
  level: OpenLevel,
  name: string,
  { generation, previousSeq, snapshotSeq }: DocumentState,
  { bytes, indexBytes }: Manifest,
): Promise<number | null> {
  const snapshotBytes = bytes + indexBytes
  // With the snapshot before, which the copy takes the place of, as much goes as comes. The first has none.
  const worthBytes = previousSeq === 0 ? snapshotBytes : snapshotBytes * WORTH_SHARE
  let seq: number | null = null
  let keptBytes = 0
  let removedBytes = 0
  const iterator = level.iterator({
    ...rowRange('entry', name, generation, previousSeq + 1, snapshotSeq + 1),
    reverse: true,
    fillCache: false,
    highWaterMarkBytes: BYTES_PER_CALL,
  })
  try {
    for (;;) {
      const rows = await iterator.nextv(ROWS_PER_CALL)
      if (rows.length === 0) return null
      for (const [key, value] of rows) {
        const isKept = keptBytes + value.length <= snapshotBytes * KEPT_SHARE
        // One row at least: a sequence number of its own.
        if (seq === null || (removedBytes === 0 && isKept)) {
          seq = seqOfEntryKey(key) - 1
          keptBytes += value.length
        } else {
          removedBytes += value.length
          if (removedBytes >= worthBytes) return seq
        }
      }
    }
  } finally {
    await iterator.close()
  }
}

/** Stores the bytes of a snapshot once more, under a sequence number that nothing refers to yet. Throws when they are not whole. */
export async function copySnapshot(
  database: LevelDatabase,
  from: SnapshotAddress,
  manifest: Manifest,
  seq: number,
): Promise<void> {
  const { name, generation } = from
  const markKey = unsweptKey(name)
  let operations: WriteOperation[] = [
    { type: 'put', key: markKey, value: encodeBytes(markKey, new Uint8Array()) },
  ]
  const chunkChecksums: number[] = []
  for (const [number, checksum] of manifest.chunkChecksums.entries()) {
    const fromKey = chunkKey(name, generation, from.seq, number)
    const stored = await database.level.get(fromKey, UNCACHED)
    if (stored === undefined) throw missing(from)
    const place = placeOf(from, `chunk ${number}`)
    if (checksumOf(stored) !== checksum)
      throw recordDamaged(place, 'is of another attempt at the same snapshot')
    const key = chunkKey(name, generation, seq, number)
    const value = reseal(fromKey, stored, key, place)
    chunkChecksums.push(checksumOf(value))
    operations.push({ type: 'put', key, value })
    if (operations.length < CHUNKS_PER_WRITE) continue
    await database.write(operations)
    operations = []
  }
  const key = manifestKey(name, generation, seq)
  operations.push({ type: 'put', key, value: encodeManifest(key, { ...manifest, chunkChecksums }) })
  await database.write(operations)
}
