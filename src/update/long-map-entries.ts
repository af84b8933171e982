import { lastUpTo } from './struct-places.ts'
import type { ClockRange } from './update-scan.ts'

/** An entry in a Map with two arrays. */
const CLIENT_BYTES = 150
/** Two numbers, with the slack of growing arrays. */
const ENTRY_BYTES = 24

interface Entries {
  /** In the order of their clocks; none overlaps another. */
  readonly starts: number[]
  readonly ends: number[]
}

/**
 * The living items of several clocks under a key of a map. Such a key has one value, the last; Yjs makes an item of several only where
 * an undo brings back values that were deleted one after the other and joined since. Whole they are harmless. One
 * that is cut in two leaves a value that its map does not know, and deleting that map then throws in every peer. No honest
 * client cuts one, so the scan refuses what would.
 */
export class LongMapEntries {
  /** Made with the first entry: nearly no document has one, and every scan asks. */
  #clients: Map<number, Entries> | null = null

  /** Takes in an entry behind those of its client. */
  append({ client, from, to }: ClockRange): void {
    this.#clients ??= new Map()
    let entries = this.#clients.get(client)
    if (entries === undefined) this.#clients.set(client, (entries = { starts: [], ends: [] }))
    entries.starts.push(from)
    entries.ends.push(to)
  }

  /** The entry that a cut before this clock would go through, or null. */
  cutBy(client: number, clock: number): ClockRange | null {
    const entries = this.#clients?.get(client)
    if (entries === undefined) return null
    // One that starts at this clock is not cut by it.
    const position = lastUpTo(entries.starts, clock - 1)
    const from = entries.starts[position]
    const to = entries.ends[position]
    return from === undefined || to === undefined || to <= clock ? null : { client, from, to }
  }

  /** Forgets those of a client from this clock on: they came with an update that was never written. */
  truncate(client: number, clock: number): void {
    const entries = this.#clients?.get(client)
    if (entries !== undefined)
      this.#remove(client, entries, lastUpTo(entries.starts, clock - 1) + 1)
  }

  /** Forgets those that lie in a deleted range. */
  delete({ client, from, to }: ClockRange): void {
    const entries = this.#clients?.get(client)
    if (entries === undefined) return
    const first = lastUpTo(entries.starts, from - 1) + 1
    const last = lastUpTo(entries.ends, to)
    this.#remove(client, entries, first, last + 1)
  }

  clone(): LongMapEntries {
    const copy = new LongMapEntries()
    if (this.#clients === null) return copy
    copy.#clients = new Map()
    for (const [client, { starts, ends }] of this.#clients)
      copy.#clients.set(client, { starts: [...starts], ends: [...ends] })
    return copy
  }

  get byteSize(): number {
    let bytes = 0
    for (const { starts } of this.#clients?.values() ?? [])
      bytes += CLIENT_BYTES + starts.length * ENTRY_BYTES
    return bytes
  }

  /** For writing: each client with its entries in the order of their clocks. */
  *clients(): Generator<readonly [client: number, starts: readonly number[], ends: number[]]> {
    for (const [client, { starts, ends }] of this.#clients ?? []) yield [client, starts, ends]
  }

  #remove(client: number, entries: Entries, from: number, to = entries.starts.length): void {
    if (to <= from) return
    entries.starts.splice(from, to - from)
    entries.ends.splice(from, to - from)
    if (entries.starts.length === 0) this.#clients?.delete(client)
  }
}
