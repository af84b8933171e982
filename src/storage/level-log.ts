import type { DocumentState } from './document-states.ts'
import { type OpenLevel, UNCACHED } from './database-files.ts'
import {
  documentKey,
  entryKey,
  type KeyRange,
  rowRange,
  rowsBeforeGeneration,
  seqOfEntryKey,
} from './level-keys.ts'
import { decodeRow, MAX_ROW_ENTRIES } from './log-rows.ts'
import { decodeDocument, type DocumentRecord, recordDamaged } from './records.ts'
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
    if (await hasRow(level, rowsBeforeGeneration('entry', name)))
      throw recordDamaged({ name, what: 'record' }, 'is missing, its log is not')
    return { ...NEVER_WRITTEN, recordedSeq: 0 }
  }
  const record = decodeDocument(key, stored, name)
  const seq = await lastSeq(level, name, record)
  if (record.isWritten && seq === 0) throw recordDamaged({ name, what: 'log' }, 'is missing')
  if (seq < record.seq)
    throw recordDamaged({ name, what: 'log' }, `ends after entry ${seq} of ${record.seq}`)
  return { ...record, seq, recordedSeq: record.seq }
}

async function hasRow(level: OpenLevel, range: KeyRange): Promise<boolean> {
  const iterator = level.iterator({ ...range, limit: 1, values: false })
  try {
    return (await iterator.nextv(1)).length > 0
  } finally {
    await iterator.close()
  }
}

async function lastSeq(level: OpenLevel, name: string, record: DocumentRecord): Promise<number> {
  const { generation, snapshotSeq } = record
  // From the snapshot on: the rows before it may be deleted, and LevelDB would walk over their tombstones.
  const last = await lastRowStart(level, name, generation, snapshotSeq + 1)
  // When the record was written the log ended with the snapshot, so that no row reaches beyond it but those behind it. What they hold
  // in the one before is read by nobody, and may be the whole document as it was pasted.
  const isFolded = last === null || (last <= snapshotSeq && record.seq === snapshotSeq)
  const row = isFolded ? [] : await rowAt(level, name, generation, last)
  const seq = Math.max(row.at(-1)?.seq ?? 0, snapshotSeq)
  // An iterator skips a block that it cannot read, without a word; a get of a row in that block fails.
  // Otherwise the next append would overwrite the entries in there. The row is not there as a rule, and the one beside it, which is read
  // in its place, may be large and of no use to anybody.
  if (await level.has(entryKey(name, generation, seq + 1), UNCACHED))
    throw recordDamaged({ name, what: 'log' }, `cannot be read after entry ${seq}`)
  return seq
}

/** The number under which the last row lies, of those that may hold an entry from `fromSeq` on, or null. */
async function lastRowStart(
  level: OpenLevel,
  name: string,
  generation: number,
  fromSeq: number,
): Promise<number | null> {
  const firstSeq = Math.max(1, fromSeq - MAX_ROW_ENTRIES + 1)
  return firstRowStart(level, {
    ...rowRange('entry', name, generation, firstSeq, Number.MAX_SAFE_INTEGER),
    reverse: true,
  })
}

async function rowAt(
  level: OpenLevel,
  name: string,
  generation: number,
  seq: number,
): Promise<readonly LogEntry[]> {
  const key = entryKey(name, generation, seq)
  const stored = await level.get(key, UNCACHED)
  if (stored === undefined) throw missingEntry(name, seq)
  return decodeRow(key, stored, name, seq)
}

/** Of the rows that may hold an entry from `fromSeq` on, the last one that begins before `toSeq`, or null. */
async function rowWith(
  level: OpenLevel,
  name: string,
  generation: number,
  fromSeq: number,
  toSeq: number,
): Promise<readonly LogEntry[] | null> {
  const firstSeq = Math.max(1, fromSeq - MAX_ROW_ENTRIES + 1)
  const iterator = level.iterator({
    ...rowRange('entry', name, generation, firstSeq, toSeq),
    reverse: true,
    limit: 1,
  })
  try {
    const [row] = await iterator.nextv(1)
    if (row === undefined) return null
    const [key, value] = row
    return decodeRow(key, value, name, seqOfEntryKey(key))
  } finally {
    await iterator.close()
  }
}

/**
 * Up to which entry rows hold nothing but what the snapshot before the newest holds too. Looks at keys alone: a row ends where the next one begins, or
 * with the log, and may hold a paste of megabytes, which this thread would copy and check for nothing.
 */
export async function lastReplaced(
  level: OpenLevel,
  name: string,
  { generation, previousSeq, seq }: DocumentState,
): Promise<number> {
  const firstSeq = Math.max(1, previousSeq - MAX_ROW_ENTRIES + 1)
  const start = await firstRowStart(level, {
    ...rowRange('entry', name, generation, firstSeq, previousSeq + 1),
    reverse: true,
  })
  if (start === null) return previousSeq
  const next = await firstRowStart(
    level,
    rowRange('entry', name, generation, previousSeq + 1, Number.MAX_SAFE_INTEGER),
  )
  const last = next === null ? seq : next - 1
  return last <= previousSeq ? previousSeq : start - 1
}

/** The number under which the first row of a range lies, from its end where it is `reverse`, or null. */
async function firstRowStart(
  level: OpenLevel,
  range: KeyRange & { readonly reverse?: boolean },
): Promise<number | null> {
  const iterator = level.iterator({ ...range, limit: 1, values: false })
  try {
    const [row] = await iterator.nextv(1)
    return row === undefined ? null : seqOfEntryKey(row[0])
  } finally {
    await iterator.close()
  }
}

/**
 * Entries after `after`. It must be called in the same turn in which the state was looked up: the iterators show
 * the database as of their creation, before anything that this state needs can be removed.
 */
export async function readLog(
  level: OpenLevel,
  name: string,
  state: DocumentState,
  after: number,
  maxBytes: number,
): Promise<readonly LogEntry[]> {
  const { generation } = state
  const firstSeq = Math.max(after, state.previousSeq) + 1
  if (firstSeq > state.seq) return []
  const page = new Page(name, firstSeq, state.seq, maxBytes)
  // The rows that begin after the first entry. That one may be in the midst of a row.
  const iterator = level.iterator({
    ...rowRange('entry', name, generation, firstSeq + 1, state.seq + 1),
    highWaterMarkBytes: Math.min(Math.max(maxBytes, 1), BYTES_PER_CALL),
    // What is read once, on opening or catching up, should not push the rows of others out of the cache.
    fillCache: false,
  })
  try {
    const first = await rowWith(level, name, generation, firstSeq, firstSeq + 1)
    page.add((first ?? []).filter((entry) => entry.seq >= firstSeq))
    while (!page.isFull) {
      const rows = await iterator.nextv(ROWS_PER_CALL)
      if (rows.length === 0) throw missingEntry(name, page.nextSeq)
      for (const [key, value] of rows) {
        if (seqOfEntryKey(key) !== page.nextSeq) throw missingEntry(name, page.nextSeq)
        page.add(decodeRow(key, value, name, page.nextSeq))
        if (page.isFull) break
      }
    }
    return page.entries
  } finally {
    await iterator.close()
  }
}

/** The entries of one read: up to `lastSeq`, or up to about `maxBytes` of updates, but at least one. */
class Page {
  readonly entries: LogEntry[] = []
  readonly #name: string
  readonly #firstSeq: number
  readonly #lastSeq: number
  readonly #maxBytes: number
  #bytes = 0

  constructor(name: string, firstSeq: number, lastSeq: number, maxBytes: number) {
    this.#name = name
    this.#firstSeq = firstSeq
    this.#lastSeq = lastSeq
    this.#maxBytes = maxBytes
  }

  get nextSeq(): number {
    return this.#firstSeq + this.entries.length
  }

  get isFull(): boolean {
    return this.nextSeq > this.#lastSeq || (this.#bytes > this.#maxBytes && this.entries.length > 0)
  }

  /** The entries of the next row, as many of them as fit. */
  add(row: readonly LogEntry[]): void {
    if (row[0] === undefined) throw missingEntry(this.#name, this.nextSeq)
    for (const entry of row) {
      if (this.isFull) return
      this.#bytes += entry.update.length
      if (this.#bytes > this.#maxBytes && this.entries.length > 0) return
      this.entries.push(entry)
    }
  }
}

function missingEntry(name: string, seq: number): Error {
  return recordDamaged({ name, what: `log entry ${seq}` }, 'is missing')
}
