import type { Clock } from '../../src/clock.ts'

interface Timer {
  at: number
  readonly order: number
  readonly callback: () => void
}

/** Time that stands still until a test moves it. */
export class ManualClock implements Clock {
  #now = 1_000_000
  #order = 0
  #timers: Timer[] = []
  #turn: (() => void)[] = []

  now(): number {
    return this.#now
  }

  get pendingTimers(): number {
    return this.#timers.length
  }

  /** Somebody sets the time of day; timers go by time that passed. */
  setBack(ms: number): void {
    this.#now -= ms
    this.#timers = this.#timers.map((timer) => Object.assign(timer, { at: timer.at - ms }))
  }

  setTimer(delayMs: number, callback: () => void): () => void {
    const timer = { at: this.#now + delayMs, order: this.#order++, callback }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }

  afterTurn(callback: () => void): void {
    this.#turn.push(callback)
  }

  /** Ends the turn of the event loop: what waits for it runs, and what that queues for the next does not. */
  endTurn(): void {
    const callbacks = this.#turn
    this.#turn = []
    for (const callback of callbacks) callback()
  }

  /** Moves time on, firing the timers on the way in their order. */
  advance(ms: number): void {
    const end = this.#now + ms
    for (;;) {
      const next = this.#timers
        .filter((timer) => timer.at <= end)
        .sort((a, b) => a.at - b.at || a.order - b.order)[0]
      if (next === undefined) break
      this.#timers = this.#timers.filter((timer) => timer !== next)
      this.#now = Math.max(this.#now, next.at)
      next.callback()
    }
    this.#now = end
  }
}
