import type { DocumentState } from './document-states.ts'
import type { OpenLevel } from './database-files.ts'
import {
  documentKey,
  entryKey,
  rowRange,
  rowsBeforeGeneration,
  seqOfEntryKey,
} from './level-keys.ts'
import { decodeDocument, decodeEntry, type DocumentRecord, recordDamaged } from './records.ts'
import type { LogEntry } from './storage.ts'

/** Few enough rows for a call back from LevelDB's thread to be short, many enough to be few calls. */
const ROWS_PER_CALL = 1000
/** LevelDB's default of 16 KiB would mean a call for each larger row. */
const BYTES_PER_CALL = 1024 * 1024

const NEVER_WRITTEN: DocumentRecord = {
  generation: 0,
  isWritten: false,
  snapshotSeq: 0,
  previousSeq: 0,
  seq: 0,
  lostSeq: 0,
}

/** Reads from disk what is known of a document: its record and the end of its log. */
export async function learnState(level: OpenLevel, name: string): Promise<DocumentState> {
  const key = documentKey(name)
  const stored = await level.get(key)
  if (stored === undefined) {
    const rows = await level.keys({ ...rowsBeforeGeneration('entry', name), limit: 1 }).all()
    if (rows.length > 0) throw recordDamaged({ name, what: 'record' }, 'is missing, its log is not')
    return { ...NEVER_WRITTEN, recordedSeq: 0 }
  }
  const record = decodeDocument(key, stored, name)
  const seq = await lastSeq(level, name, record)
  if (record.isWritten && seq === 0) throw recordDamaged({ name, what: 'log' }, 'is missing')
  if (seq < record.seq)
    throw recordDamaged({ name, what: 'log' }, `ends after entry ${seq} of ${record.seq}`)
  return { ...record, seq, recordedSeq: record.seq }
}

async function lastSeq(level: OpenLevel, name: string, record: DocumentRecord): Promise<number> {
  const { generation, snapshotSeq } = record
  // From the snapshot on: the rows before it may be deleted, and LevelDB would walk over their tombstones.
  const range = rowRange('entry', name, generation, snapshotSeq + 1, Number.MAX_SAFE_INTEGER)
  const [last] = await level.keys({ ...range, reverse: true, limit: 1 }).all()
  const seq = last === undefined ? snapshotSeq : seqOfEntryKey(last)
  // An iterator skips a block that it cannot read, without a word; a get of a row in that block fails.
  // Otherwise the next append would overwrite the entries in there.
  if (await level.has(entryKey(name, generation, seq + 1)))
    throw recordDamaged({ name, what: 'log' }, `cannot be read after entry ${seq}`)
  return seq
}

/**
 * Entries after `after`. It must be called in the same turn in which the state was looked up: the iterator shows
 * the database as of its creation, before anything that this state needs can be removed.
 */
export async function readLog(
  level: OpenLevel,
  name: string,
  state: DocumentState,
  after: number,
  maxBytes: number,
): Promise<readonly LogEntry[]> {
  const firstSeq = Math.max(after, state.previousSeq) + 1
  if (firstSeq > state.seq) return []
  const entries: LogEntry[] = []
  let bytes = 0
  const iterator = level.iterator({
    ...rowRange('entry', name, state.generation, firstSeq, state.seq + 1),
    highWaterMarkBytes: Math.min(Math.max(maxBytes, 1), BYTES_PER_CALL),
    // What is read once, on opening or catching up, should not push the rows of others out of the cache.
    fillCache: false,
  })
  try {
    for (;;) {
      const rows = await iterator.nextv(ROWS_PER_CALL)
      for (const [key, value] of rows) {
        const seq = firstSeq + entries.length
        if (seqOfEntryKey(key) !== seq) throw missingEntry(name, seq)
        const entry = decodeEntry(key, value, name, seq)
        bytes += entry.update.length
        if (bytes > maxBytes && entries.length > 0) return entries
        entries.push(entry)
      }
      if (firstSeq + entries.length > state.seq) return entries
      if (rows.length === 0) throw missingEntry(name, firstSeq + entries.length)
    }
  } finally {
    await iterator.close()
  }
}

function missingEntry(name: string, seq: number): Error {
  return recordDamaged({ name, what: `log entry ${seq}` }, 'is missing')
}
