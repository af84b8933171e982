import { readFileSync, rmSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { StorageError } from '../errors.ts'
import { type KeySpan, mayHoldRecord } from './key-span.ts'
import { writeFileDurably } from './level-files.ts'

/** What is kept about damage that was found, until an operator has decided about every document that it concerns. */
interface Content {
  /** When files were set aside, and which; for people. */
  readonly found: readonly FoundDamage[]
  /** Spans in which rows were lost. Which documents they concern has not been looked up yet. */
  readonly unexamined: readonly KeySpan[]
  /** Spans in which document records were lost: any name in there may have been a document. */
  readonly lostRecords: readonly KeySpan[]
  /** Documents that may have lost something. */
  readonly documents: readonly string[]
  /** Names in `lostRecords` that were deleted since, and are new documents now. */
  readonly deleted: readonly string[]
}

export interface FoundDamage {
  readonly at: string
  readonly faults: readonly string[]
  /** Where the damaged files are kept, below the data directory. */
  readonly setAside: readonly string[]
}

const NOTHING: Content = {
  found: [],
  unexamined: [],
  lostRecords: [],
  documents: [],
  deleted: [],
}

/**
 * Which documents are refused because LevelDB has lost rows that may have been theirs. It is kept in a file beside the database, and
 * not in it: what is lost there could be this. Every change is on disk before it is acted upon.
 */
export class DamageRecord {
  readonly #path: string
  #content: Content
  #documents: ReadonlySet<string> = new Set()
  #foundNow: FoundDamage | null = null

  /** Throws `storage-inaccessible` when the file cannot be read: without it damaged documents would be served. */
  constructor(path: string) {
    this.#path = path
    this.#content = readContent(path)
    this.#documents = new Set(this.#content.documents)
  }

  get unexamined(): readonly KeySpan[] {
    return this.#content.unexamined
  }

  get documents(): readonly string[] {
    return this.#content.documents
  }

  /** Whether there is any document, or name of one, that is refused. */
  get isRefusing(): boolean {
    const { documents, lostRecords } = this.#content
    return documents.length + lostRecords.length > 0
  }

  /** What this process has found, or null. */
  get foundNow(): FoundDamage | null {
    return this.#foundNow
  }

  /** Why the document is refused, in words that follow "The record of document …", or null. */
  faultOf(name: string): string | null {
    if (this.#documents.has(name)) return 'may have lost entries to damage that was set aside'
    const { lostRecords, unexamined, deleted } = this.#content
    if (unexamined.length > 0) return 'has not been looked at since damage was set aside'
    if (deleted.includes(name) || !lostRecords.some((span) => mayHoldRecord(span, name)))
      return null
    return 'may have been lost to damage that was set aside'
  }

  /** Damage was found: before anything is done about it. */
  add(found: FoundDamage, lost: readonly KeySpan[]): void {
    const before = this.#content
    this.#foundNow = found
    this.#replace({
      ...before,
      found: [...before.found, found],
      unexamined: [...before.unexamined, ...lost],
    })
  }

  /** It was found out which documents the damage concerns. */
  settle(lostRecords: readonly KeySpan[], documents: readonly string[]): void {
    const before = this.#content
    const isLost = (name: string): boolean => lostRecords.some((span) => mayHoldRecord(span, name))
    this.#replace({
      ...before,
      unexamined: [],
      lostRecords: [...before.lostRecords, ...lostRecords],
      documents: [...new Set([...before.documents, ...documents])],
      // What came after an earlier loss can be lost as well.
      deleted: before.deleted.filter((name) => !isLost(name)),
    })
  }

  /** An operator gave the document up: it was deleted, and what is written under its name from now on is another. */
  release(name: string): void {
    if (this.faultOf(name) === null) return
    const { lostRecords, documents, deleted } = this.#content
    const isLost = lostRecords.some((span) => mayHoldRecord(span, name))
    this.#replace({
      ...this.#content,
      documents: documents.filter((other) => other !== name),
      deleted: isLost ? [...deleted, name] : deleted,
    })
  }

  /** An operator takes every document as it is. */
  clear(): void {
    this.#replace(NOTHING)
  }

  #replace(content: Content): void {
    const { unexamined, lostRecords, documents } = content
    if (unexamined.length + lostRecords.length + documents.length === 0)
      rmSync(this.#path, { force: true })
    else writeFileDurably(this.#path, encodeContent(content))
    this.#content = content
    this.#documents = new Set(documents)
  }
}

const encodeSpan = ({ from, upTo }: KeySpan): readonly string[] => [
  from.toString('hex'),
  upTo.toString('hex'),
]

const decodeSpan = ([from, upTo]: readonly string[]): KeySpan => ({
  from: Buffer.from(from as string, 'hex'),
  upTo: Buffer.from(upTo as string, 'hex'),
})

/** JSON, for people; its last line is the checksum of what is before it. */
function encodeContent(content: Content): string {
  const text = `${JSON.stringify(
    {
      ...content,
      unexamined: content.unexamined.map(encodeSpan),
      lostRecords: content.lostRecords.map(encodeSpan),
    },
    null,
    2,
  )}\n`
  return `${text}${crc32(text)}\n`
}

function readContent(path: string): Content {
  let stored: string
  try {
    stored = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return NOTHING
    throw unreadable(path, error)
  }
  const [, text = '', checksum] = /^([\s\S]*\n)(\d+)\n$/.exec(stored) ?? []
  if (checksum === undefined || crc32(text) !== Number(checksum)) throw unreadable(path)
  const content = JSON.parse(text) as Record<keyof Content, never>
  const spans = (encoded: readonly (readonly string[])[]): KeySpan[] => encoded.map(decodeSpan)
  return {
    ...(content as Content),
    unexamined: spans(content.unexamined),
    lostRecords: spans(content.lostRecords),
  }
}

function unreadable(path: string, cause?: unknown): StorageError {
  const message = `${path}, which tells the damaged documents, cannot be read. Restore a backup of the whole directory, or remove that file to accept every document as it is.`
  return new StorageError('storage-inaccessible', message, { cause })
}
