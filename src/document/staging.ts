import type { DocumentError } from '../errors.ts'
import type { ClockRange } from '../update/update-scan.ts'

interface Waiter {
  /** Waits until this many accepted updates have met their fate. */
  readonly count: number
  readonly resolve: () => void
  readonly reject: (error: DocumentError) => void
}

/**
 * What a document has accepted and the disk does not have yet: the clocks that it reaches, and who waits for it.
 * Updates meet their fate in the order in which they were accepted, so counting them is enough.
 */
export class Staging {
  /** Made with the first update: most documents that are open are read. */
  #clocks: Map<number, number> | null = null
  #acceptedCount = 0
  #settledCount = 0
  #waiters: Waiter[] = []

  /** Nothing is on its way to the disk. */
  get isEmpty(): boolean {
    return this.#acceptedCount === this.#settledCount
  }

  /** The clock that accepted updates reach for this client, if there are any of it. */
  clockOf(client: number): number | undefined {
    return this.#clocks?.get(client)
  }

  /** An update was accepted, with these new structs. */
  add(inserts: readonly ClockRange[]): void {
    this.#clocks ??= new Map()
    for (const range of inserts) this.#clocks.set(range.client, range.to)
    this.#acceptedCount++
  }

  /** The oldest `count` updates are durable, or were lost with this error. */
  settle(count: number, error?: DocumentError): void {
    this.#settledCount += count
    if (this.isEmpty) this.#clocks?.clear()
    const waiting: Waiter[] = []
    for (const waiter of this.#waiters)
      if (waiter.count > this.#settledCount) waiting.push(waiter)
      else if (error === undefined) waiter.resolve()
      else waiter.reject(error)
    this.#waiters = waiting
  }

  /** Resolves when everything accepted so far is durable; rejects when its write failed. */
  whenSettled(): Promise<void> {
    if (this.isEmpty) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.#waiters.push({ count: this.#acceptedCount, resolve, reject })
    })
  }
}
