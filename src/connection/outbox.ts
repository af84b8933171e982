import type { CancelTimer, Clock } from '../clock.ts'

export interface OutboxOptions {
  readonly clock: Clock
  readonly softBytes: number
  readonly hardBytes: number
  readonly stallMs: number
  /** The reader does not read: the connection must go. */
  readonly onStalled: () => void
}

/**
 * Counts the bytes that were handed to a connection and have not left the process. Nothing else in the stack
 * does: behind a reader that stops reading, engine.io's buffer grows for as long as it is fed.
 */
export class Outbox {
  readonly #options: OutboxOptions
  #bytesInFlight = 0
  readonly #waiting = new Set<() => void>()
  #cancelStall: CancelTimer | null = null
  #isClosed = false

  constructor(options: OutboxOptions) {
    this.#options = options
  }

  get bytesInFlight(): number {
    return this.#bytesInFlight
  }

  /** Over the soft limit: nothing but answers should be sent now. */
  get isCongested(): boolean {
    return this.#bytesInFlight > this.#options.softBytes
  }

  /** Bytes were handed to the connection; call the result once they have left. */
  charge(bytes: number): () => void {
    this.#bytesInFlight += bytes
    if (this.#bytesInFlight > this.#options.hardBytes) this.#stall()
    else this.#cancelStall ??= this.#armStall()
    return () => this.#discharge(bytes)
  }

  /** Calls back once, when what is in flight has left (at once when nothing is). */
  whenDrained(callback: () => void): void {
    if (this.#isClosed) return
    if (this.#bytesInFlight === 0) callback()
    else this.#waiting.add(callback)
  }

  close(): void {
    this.#isClosed = true
    this.#cancelStall?.()
    this.#cancelStall = null
    this.#waiting.clear()
  }

  #discharge(bytes: number): void {
    this.#bytesInFlight -= bytes
    this.#cancelStall?.()
    this.#cancelStall = this.#bytesInFlight > 0 && !this.#isClosed ? this.#armStall() : null
    if (this.#bytesInFlight > 0) return
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const callback of waiting) callback()
  }

  #armStall(): CancelTimer {
    return this.#options.clock.setTimer(this.#options.stallMs, () => this.#stall())
  }

  #stall(): void {
    if (!this.#isClosed) this.#options.onStalled()
  }
}
