/** A log entry that is durable and still in memory. */
export interface RecentEntry {
  readonly seq: number
  readonly update: Uint8Array
  /** Whose edit it is, to leave that one out of the relay where it costs nothing. */
  readonly origin: object | null
}

const DROPPED: RecentEntry = { seq: 0, update: new Uint8Array(0), origin: null }

/**
 * The newest entries of one document's log, without holes up to its head. Bounded by bytes, except
 * that entries which were not yet relayed are never dropped.
 */
export class RecentEntries {
  readonly #maxBytes: number
  #entries: RecentEntry[] = []
  /** Entries before this position of the array are dropped; it is compacted when half is. */
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
    return this.#entries[this.#start] === undefined ? this.#head : this.#first().seq - 1
  }

  push(entry: RecentEntry): void {
    if (entry.seq !== this.#head + 1)
      throw new RangeError(`entry ${entry.seq} does not follow ${this.#head}`)
    this.#entries.push(entry)
    this.#bytes += entry.update.length
    this.#head = entry.seq
  }

  /** Forgets the oldest entries over the byte bound, but none after `keepAfter`. */
  trim(keepAfter: number): void {
    while (this.#bytes > this.#maxBytes && this.#start < this.#entries.length) {
      const first = this.#first()
      if (first.seq > keepAfter) break
      this.#bytes -= first.update.length
      // The place stays until the array is moved down; the bytes must not.
      this.#entries[this.#start] = DROPPED
      this.#start++
    }
    // Moving the rest down only when it is the smaller half keeps trimming linear overall.
    if (this.#start > 32 && this.#start * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#start)
      this.#start = 0
    }
  }

  /** The entries after `seq`, in order. Only for a `seq` of at least `since`. */
  after(seq: number): readonly RecentEntry[] {
    if (seq < this.since) throw new RangeError(`entries after ${seq} are no longer in memory`)
    return this.#entries.slice(this.#entries.length - (this.#head - seq))
  }

  #first(): RecentEntry {
    return this.#entries[this.#start] as RecentEntry
  }
}
