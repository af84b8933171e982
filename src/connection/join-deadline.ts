import type { CancelTimer, Clock } from '../clock.ts'

/** Who is told when it is over. */
interface Latecomer {
  handleJoinMissed(): void
}

/** Ends a connection that is in no document for so long: it only holds memory and a file descriptor. */
export class JoinDeadline {
  readonly #clock: Clock
  readonly #limitMs: number
  readonly #latecomer: Latecomer
  #cancel: CancelTimer | null = null
  #isOver = false

  constructor(clock: Clock, limitMs: number, latecomer: Latecomer) {
    this.#clock = clock
    this.#limitMs = limitMs
    this.#latecomer = latecomer
  }

  /** Tells whether the connection is in a document, or about to be. */
  set(isInDocument: boolean): void {
    if (isInDocument || this.#isOver) {
      this.#cancel?.()
      this.#cancel = null
    } else
      this.#cancel ??= this.#clock.setTimer(this.#limitMs, () => this.#latecomer.handleJoinMissed())
  }

  close(): void {
    this.#isOver = true
    this.set(true)
  }
}
