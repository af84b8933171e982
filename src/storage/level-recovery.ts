import type { DocumentName } from '../../protocol/index.ts'
import type { DocumentState } from './document-states.ts'
import type { LevelDatabase } from './level-database.ts'
import { storageError } from './level-error.ts'
import { readLog } from './level-log.ts'
import { readChunk, readIndex, readManifest, updateChunks } from './level-snapshots.ts'

/** One page of the log while it is looked through. */
const PAGE_BYTES = 1024 * 1024

/**
 * Reads a document from beginning to end, as this state has it. Throws `damage`, for which somebody wants to go back
 * to this state, when it is not whole either.
 */
export async function assertWhole(
  database: LevelDatabase,
  name: DocumentName,
  state: DocumentState,
  damage: unknown,
): Promise<void> {
  await database.ready()
  try {
    if (state.snapshotSeq > 0) await readWholeSnapshot(database, name, state, damage)
    for (let after = state.snapshotSeq; after < state.seq;) {
      const page = await readLog(database.level, name, state, after, PAGE_BYTES)
      after = page.at(-1)?.seq ?? state.seq
    }
  } catch (error) {
    // A disk that does not answer at the moment says nothing about what is on it.
    throw isDamage(error) ? damage : error
  }
}

/** Whether a failed read tells of damage, ours to find or LevelDB's. */
export function isDamage(error: unknown): boolean {
  return storageError(error, 'reading').code === 'record-damaged'
}

async function readWholeSnapshot(
  { level, codec }: LevelDatabase,
  name: DocumentName,
  { generation, snapshotSeq }: DocumentState,
  damage: unknown,
): Promise<void> {
  const address = { name, generation, seq: snapshotSeq }
  const manifest = await readManifest(level, address)
  if (manifest === null || (await readIndex(level, codec, address, manifest)) === null) throw damage
  let bytes = 0
  for (let chunk = 0; chunk < updateChunks(manifest); chunk++)
    bytes += (await readChunk(level, codec, address, manifest, chunk))?.length ?? 0
  if (bytes !== manifest.bytes) throw damage
}
