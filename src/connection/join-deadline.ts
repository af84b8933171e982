import type { CancelTimer, Clock } from '../clock.ts'

/** Ends a connection that is in no document for so long: it only holds memory and a file descriptor. */
export class JoinDeadline {
  readonly #clock: Clock
  readonly #limitMs: number
  readonly #handleMissed: () => void
  #cancel: CancelTimer | null = null
  #isOver = false

  constructor(clock: Clock, limitMs: number, handleMissed: () => void) {
    this.#clock = clock
    this.#limitMs = limitMs
    this.#handleMissed = handleMissed
  }

  /** Tells whether the connection is in a document, or about to be. */
  set(isInDocument: boolean): void {
    if (isInDocument || this.#isOver) {
      this.#cancel?.()
      this.#cancel = null
    } else this.#cancel ??= this.#clock.setTimer(this.#limitMs, this.#handleMissed)
  }

  close(): void {
    this.#isOver = true
    this.set(true)
  }
}
