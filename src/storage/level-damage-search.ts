import { StorageError } from '../errors.ts'
import type { OpenLevel } from './database-files.ts'
import { type KeySpan, mayHoldEntries, mayHoldNextEntry, mayHoldRecord } from './key-span.ts'
import {
  BEHIND_ENTRIES,
  behindEntriesOf,
  entriesFromRecord,
  nameOfKey,
  nameOfRow,
  RECORD_RANGE,
} from './level-keys.ts'
import { learnState, readLog } from './level-log.ts'

const NAMES_PER_READ = 1000
/** One page of a log while it is looked through. */
const PAGE_BYTES = 1024 * 1024

export interface ConcernedDocuments {
  /** Spans in which records of documents may have been lost. */
  readonly lostRecords: readonly KeySpan[]
  /** Every name that is known of a document that may not be whole, or not as it was left. */
  readonly documents: readonly string[]
}

/**
 * Which documents may have lost what was in these spans. An older row may have come up where a newer one was lost, and a deleted one where
 * its deletion was:
 *
 * - of a record any of that: the document may be a shorter or a deleted one. It is concerned.
 * - of an entry only the loss counts: entries are written once, and those that were deleted lie before everything that is read. A loss
 *   within the log is a hole; only at its end nothing is seen of it, and there the next entry would lie in the span.
 * - of a snapshot only the loss counts: its manifest tells whether a chunk is its own. Whoever reads it finds out. [ST13]
 */
export async function findConcerned(
  level: OpenLevel,
  lost: readonly KeySpan[],
): Promise<ConcernedDocuments> {
  const lostRecords = lost.filter(overlapsRecords)
  const documents = new Set<string>()
  for await (const name of namesOfRecords(level)) {
    const isConcerned =
      lostRecords.some((span) => mayHoldRecord(span, name)) ||
      (lost.some((span) => mayHoldEntries(span, name)) && !(await isLogWhole(level, name, lost)))
    if (isConcerned) documents.add(name)
  }
  for (const span of lostRecords)
    for await (const name of namesOfEntries(level, span)) documents.add(name)
  return { lostRecords, documents: [...documents] }
}

async function isLogWhole(
  level: OpenLevel,
  name: string,
  lost: readonly KeySpan[],
): Promise<boolean> {
  try {
    const state = await learnState(level, name)
    const { generation, snapshotSeq, seq } = state
    if (lost.some((span) => mayHoldNextEntry(span, name, generation, seq))) return false
    for (let after = snapshotSeq; after < seq;) {
      const page = await readLog(level, name, state, after, PAGE_BYTES)
      after = page.at(-1)?.seq ?? seq
    }
    return true
  } catch (error) {
    if (error instanceof StorageError && error.code === 'record-damaged') return false
    throw error
  }
}

async function* namesOfRecords(level: OpenLevel): AsyncGenerator<string> {
  const keys = level.keys({ ...RECORD_RANGE, fillCache: false })
  try {
    for (;;) {
      const page = await keys.nextv(NAMES_PER_READ)
      if (page.length === 0) return
      for (const key of page) yield nameOfKey(key)
    }
  } finally {
    await keys.close()
  }
}

/** The documents that have entries, and whose records may have been in the span. */
async function* namesOfEntries(level: OpenLevel, span: KeySpan): AsyncGenerator<string> {
  for (let gte = entriesFromRecord(span.from); ;) {
    const [key] = await level.keys({ gte, lt: BEHIND_ENTRIES, limit: 1 }).all()
    if (key === undefined) return
    const name = nameOfRow(key)
    if (!mayHoldRecord(span, name)) return
    yield name
    gte = behindEntriesOf(name)
  }
}

function overlapsRecords({ from, upTo }: KeySpan): boolean {
  const { gte, lt } = RECORD_RANGE
  return Buffer.compare(from, lt) < 0 && Buffer.compare(upTo, gte) >= 0
}
