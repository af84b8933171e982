import { RangeSet } from './range-set.ts'
import type { ClockRange } from './update-scan.ts'

interface OpenRange {
  readonly client: number
  from: number
  to: number
}

/** The deleted ranges that a scan comes by, in the order of the update; neighbours are joined. */
export class CollectedDeletes {
  readonly #ranges: OpenRange[] = []

  get ranges(): readonly ClockRange[] {
    return this.#ranges
  }

  add(client: number, from: number, to: number): void {
    const last = this.#ranges.at(-1)
    if (last !== undefined && last.client === client && last.from <= from && from <= last.to)
      last.to = Math.max(last.to, to)
    else this.#ranges.push({ client, from, to })
  }

  /** Those of these ranges that are not deleted whole. Call it seldom: it sorts all ranges first. */
  lacking(wanted: readonly ClockRange[]): ClockRange[] {
    if (wanted.length === 0) return []
    const deleted = new Map<number, RangeSet>()
    for (const { client } of wanted) deleted.set(client, new RangeSet())
    for (const { client, from, to } of this.#ranges) deleted.get(client)?.add(from, to)
    return wanted.filter(({ client, from, to }) => deleted.get(client)?.has(from, to) !== true)
  }
}
