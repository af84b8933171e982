import type { Clock } from '../clock.ts'

/** About a millisecond of copying to sockets. */
const BYTES_PER_TURN = 1024 * 1024

/** Below it an answer is a message like others. */
const BULK_BYTES = 16 * 1024

interface Bulk {
  readonly bytes: number
  readonly go: () => void
}

/**
 * Lets large answers out a few per turn of the event loop, whoever asked: a hundred newcomers who fetch ten megabytes
 * each must not keep a keystroke in another document waiting until all their requests of that moment are answered.
 */
export class BulkPacer {
  readonly #clock: Clock
  readonly #waiting: Bulk[] = []
  #left = BYTES_PER_TURN
  #isTurnOpen = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Resolves when an answer of so many bytes may be given; in the order of asking. Null: at once. */
  enter(bytes: number): Promise<void> | null {
    if (bytes < BULK_BYTES) return null
    if (this.#waiting.length === 0 && this.#left > 0) {
      this.#take(bytes)
      return null
    }
    return new Promise((go) => this.#waiting.push({ bytes, go }))
  }

  /** Any size fits if nothing was taken before it. */
  #take(bytes: number): void {
    this.#left -= bytes
    if (this.#isTurnOpen) return
    this.#isTurnOpen = true
    this.#clock.afterTurn(() => this.#nextTurn())
  }

  #nextTurn(): void {
    this.#isTurnOpen = false
    this.#left = BYTES_PER_TURN
    while (this.#waiting.length > 0 && this.#left > 0) {
      const next = this.#waiting.shift() as Bulk
      this.#take(next.bytes)
      next.go()
    }
  }
}
