import type { Clock } from './clock.ts'

/** The first pause is at most this long; each further one twice as long as the one before. */
const FIRST_PAUSE_MS = 400
/** What held this long counts as a success; a failure after it starts over with the first pause. */
const STABLE_MS = 10_000

/**
 * How long to wait before the next attempt: growing, bounded, and spread by chance so that the
 * clients of a restarted server do not return in one moment.
 */
export class Backoff {
  readonly #clock: Clock
  readonly #maxPauseMs: number
  #failures = 0
  #succeededAt: number | null = null

  constructor(clock: Clock, maxPauseMs: number) {
    this.#clock = clock
    this.#maxPauseMs = maxPauseMs
  }

  /** An attempt worked. Only what lasts is rewarded, else a server that accepts and drops is hammered. */
  handleSuccess(): void {
    this.#succeededAt ??= this.#clock.now()
  }

  /** The pause before the next attempt, in milliseconds: between half and all of the current bound. */
  nextPauseMs(): number {
    if (this.#succeededAt !== null && this.#clock.now() - this.#succeededAt >= STABLE_MS)
      this.#failures = 0
    this.#succeededAt = null
    const boundMs = Math.min(this.#maxPauseMs, FIRST_PAUSE_MS * 2 ** this.#failures)
    if (boundMs < this.#maxPauseMs) this.#failures++
    return boundMs * (0.5 + this.#clock.random() / 2)
  }

  reset(): void {
    this.#failures = 0
    this.#succeededAt = null
  }
}
