/** Cancels a timer. Calling it again, or after the timer fired, does nothing. */
export type CancelTimer = () => void

/** Time and chance as inputs: tests and simulations move them by hand. */
export interface Clock {
  /** Milliseconds since 1970, UTC. */
  now(): number
  /** Calls `callback` once, `delayMs` from now. */
  setTimer(delayMs: number, callback: () => void): CancelTimer
  /** Calls `callback` once the code that runs now has finished, before any timer or network event. */
  afterTurn(callback: () => void): void
  /** A number from 0 (included) to 1 (excluded). */
  random(): number
}

export const systemClock: Clock = {
  now: () => Date.now(),
  setTimer(delayMs, callback) {
    const timer = setTimeout(callback, delayMs)
    return () => clearTimeout(timer)
  },
  // Not a timer: browsers slow timers of background tabs down to one a second, or a minute.
  afterTurn: (callback) => queueMicrotask(callback),
  random: () => Math.random(),
}
