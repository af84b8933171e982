import { packPage, type UpdatePage } from '../log/packed-updates.ts'

/** A log entry that is durable and still in memory. */
export interface RecentEntry {
  readonly seq: number
  readonly update: Uint8Array
  /** Whose edit it is, to leave that one out of the relay where it costs nothing. */
  readonly origin: object | null
}

const DROPPED: RecentEntry = { seq: 0, update: new Uint8Array(0), origin: null }

/** Entries that were relayed lie together as bytes: of a keystroke of 17 bytes an object, its array and its buffer take 250. */
interface RecentPage extends UpdatePage {
  /** The sequence number of its first entry, and of the first one behind it. */
  readonly from: number
  readonly end: number
}

/** So many entries make a page; what holds more bytes is one by itself. */
const PAGE_ENTRIES = 64
const PAGE_BYTES = 16 * 1024

/**
 * The newest entries of one document's log, without holes up to its head. Bounded by bytes, except
 * that entries which were not yet relayed are never dropped.
 */
export class RecentEntries {
  readonly #maxBytes: number
  /** The oldest. Made with the first: most documents have few entries. */
  #pages: RecentPage[] | null = null
  #entries: RecentEntry[] = []
  /** Entries before this position of the array are dropped, or in a page; it is compacted when half is. */
  #start = 0
  #bytes = 0
  #head: number

  constructor(maxBytes: number, head: number) {
    this.#maxBytes = maxBytes
    this.#head = head
  }

  get head(): number {
    return this.#head
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Everything after this sequence number is here. */
  get since(): number {
    return (this.#pages?.[0]?.from ?? this.#first) - 1
  }

  /** The first entry that is in no page. */
  get #first(): number {
    return this.#head + 1 - (this.#entries.length - this.#start)
  }

  push(entry: RecentEntry): void {
    if (entry.seq !== this.#head + 1)
      throw new RangeError(`entry ${entry.seq} does not follow ${this.#head}`)
    this.#entries.push(entry)
    this.#bytes += entry.update.length
    this.#head = entry.seq
  }

  /** Forgets the oldest entries over the byte bound, but none after `keepAfter`: everything up to there was relayed. */
  trim(keepAfter: number): void {
    while (this.#bytes > this.#maxBytes && this.since < keepAfter)
      if (!this.#dropPage(keepAfter)) this.#bytes -= this.#take().update.length
    while (keepAfter + 1 - this.#first >= PAGE_ENTRIES) this.#pack()
    // Moving the rest down only when it is the smaller half keeps trimming linear overall.
    if (this.#start > 32 && this.#start * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#start)
      this.#start = 0
    }
  }

  /** The entries after `seq`, in order. Only for a `seq` of at least `since`. Who made those that were relayed is forgotten. */
  after(seq: number): readonly RecentEntry[] {
    if (seq < this.since) throw new RangeError(`entries after ${seq} are no longer in memory`)
    const first = this.#first
    if (seq + 1 >= first) return this.#entries.slice(this.#entries.length - (this.#head - seq))
    const entries: RecentEntry[] = []
    for (const page of this.#pages ?? []) if (page.end > seq + 1) addAfter(seq, page, entries)
    for (let at = this.#start; at < this.#entries.length; at++)
      entries.push(this.#entries[at] as RecentEntry)
    return entries
  }

  #dropPage(keepAfter: number): boolean {
    const page = this.#pages?.[0]
    if (page === undefined || page.end > keepAfter + 1) return false
    this.#pages?.shift()
    this.#bytes -= page.bytes.length
    return true
  }

  /** The place stays until the array is moved down; the bytes must not. */
  #take(): RecentEntry {
    const entry = this.#entries[this.#start] as RecentEntry
    this.#entries[this.#start++] = DROPPED
    return entry
  }

  #pack(): void {
    const from = this.#first
    const updates: Uint8Array[] = []
    for (let bytes = 0; updates.length < PAGE_ENTRIES && bytes < PAGE_BYTES;) {
      const { update } = this.#take()
      bytes += update.length
      updates.push(update)
    }
    ;(this.#pages ??= []).push({ ...packPage(updates), from, end: from + updates.length })
  }
}

function addAfter(seq: number, { bytes, lengths, from }: RecentPage, entries: RecentEntry[]): void {
  let offset = 0
  let at = from
  for (const length of lengths) {
    if (at > seq)
      entries.push({ seq: at, update: bytes.subarray(offset, offset + length), origin: null })
    offset += length
    at++
  }
}
