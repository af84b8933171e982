/** Cancels a timer. Calling it again, or after the timer fired, does nothing. */
export type CancelTimer = () => void

/** Time as an input: tests and simulations move it by hand. */
export interface Clock {
  /** Milliseconds since 1970, UTC. */
  now(): number
  /** Calls `callback` once, `delayMs` from now. A pending timer does not keep the process alive. */
  setTimer(delayMs: number, callback: () => void): CancelTimer
  /** Calls `callback` once everything that has already arrived in this turn of the event loop was handled. */
  afterTurn(callback: () => void): void
}

export const systemClock: Clock = {
  now: () => Date.now(),
  setTimer(delayMs, callback) {
    const timer = setTimeout(callback, delayMs)
    timer.unref()
    return () => clearTimeout(timer)
  },
  afterTurn: (callback) => void setImmediate(callback),
}
