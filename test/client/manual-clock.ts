import type { Clock } from '../../client/index.ts'

/** A clock that stands still until a test moves it. */
export class ManualClock implements Clock {
  #nowMs = 1_700_000_000_000
  #turns: (() => void)[] = []
  readonly #timers = new Set<{ readonly atMs: number; readonly callback: () => void }>()
  /** What `random` gives. With 1 every pause has its full length. */
  chance = 1

  now(): number {
    return this.#nowMs
  }

  random(): number {
    return this.chance
  }

  setTimer(delayMs: number, callback: () => void): () => void {
    const timer = { atMs: this.#nowMs + delayMs, callback }
    this.#timers.add(timer)
    return () => void this.#timers.delete(timer)
  }

  afterTurn(callback: () => void): void {
    this.#turns.push(callback)
  }

  get timers(): number {
    return this.#timers.size
  }

  /** Ends the present turn: what waited for that runs. */
  endTurn(): void {
    while (this.#turns.length > 0) for (const callback of this.#turns.splice(0)) callback()
  }

  /** Moves time; timers fire in order, each at its own moment. */
  advance(ms: number): void {
    this.endTurn()
    const untilMs = this.#nowMs + ms
    for (;;) {
      const due = [...this.#timers]
        .filter((timer) => timer.atMs <= untilMs)
        .sort((left, right) => left.atMs - right.atMs)[0]
      if (due === undefined) break
      this.#nowMs = due.atMs
      this.#timers.delete(due)
      due.callback()
      this.endTurn()
    }
    this.#nowMs = untilMs
  }
}
