import type { Clock } from '../clock.ts'

/** What was not used in so many seconds may be used at once: people type in bursts, and come back with a backlog. */
const BURST_SECONDS = 5

/**
 * So much a second, and a few seconds' worth at once. What is larger than that passes when nothing is owed, and is owed
 * afterwards: no size is refused for ever.
 */
export class Rate {
  readonly #clock: Clock
  readonly #perMs: number
  readonly #burst: number
  #left: number
  #filledAt: number

  /** `burst`: how much may be used at once. Default: what five seconds allow. */
  constructor(clock: Clock, perSecond: number, burst = perSecond * BURST_SECONDS) {
    this.#clock = clock
    this.#perMs = perSecond / 1000
    this.#burst = burst
    this.#left = burst
    this.#filledAt = clock.now()
  }

  /** How long until something may pass, in milliseconds; 0: now. */
  get waitMs(): number {
    return this.waitMsAt(this.#clock.now())
  }

  /** The same, for who asks several at one moment. */
  waitMsAt(now: number): number {
    this.#fill(now)
    return this.#left > 0 ? 0 : Math.ceil(-this.#left / this.#perMs) + 1
  }

  /** Counts as of the last question. */
  use(amount: number): void {
    this.#left -= amount
  }

  #fill(now: number): void {
    // The time of day may be set back: nothing is gained by it, and nothing lost.
    const elapsedMs = Math.max(0, now - this.#filledAt)
    this.#filledAt = now
    this.#left = Math.min(this.#burst, this.#left + elapsedMs * this.#perMs)
  }
}
