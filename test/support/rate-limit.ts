/** A slow line: lets so many bytes pass per second, in order. */
export class RateLimit {
  readonly #bytesPerMs: number
  /** When everything let through so far has passed, in milliseconds of `performance.now()`. */
  #freeAt = 0

  constructor(bytesPerSecond: number) {
    this.#bytesPerMs = bytesPerSecond / 1000
  }

  /** Calls back when these bytes have passed, after those before them. */
  after(bytes: number, callback: () => void): void {
    const now = performance.now()
    this.#freeAt = Math.max(this.#freeAt, now) + bytes / this.#bytesPerMs
    setTimeout(callback, this.#freeAt - now)
  }
}
