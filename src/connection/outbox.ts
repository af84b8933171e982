import type { CancelTimer, Clock } from '../clock.ts'

export interface OutboxOptions {
  readonly clock: Clock
  readonly softBytes: number
  readonly hardBytes: number
  readonly stallMs: number
  /** The reader does not read: the connection must go. `limit`: the option that says so. */
  onStalled(limit: 'outboxHardBytes' | 'outboxStallMs'): void
  /**
   * What of the write under way has not left the process, where that can be seen. A large message counts as in flight
   * until all of it has left; a slow reader that reads shows here.
   */
  unwrittenBytes?(): number | null
  /** Bytes that a predecessor on the same engine connection left in flight. Default 0. */
  readonly bytesInFlight?: number
}

/**
 * "Drained" is this fraction of the soft limit, not nothing: somebody who types on a slow line always has an
 * acknowledgement in flight, and must be brought up to date all the same.
 */
const DRAINED_FRACTION = 1 / 8

/**
 * Counts the bytes that were handed to a connection and have not left the process. Nothing else in the stack
 * does: behind a reader that stops reading, engine.io's buffer grows for as long as it is fed.
 */
export class Outbox {
  readonly #options: OutboxOptions
  #bytesInFlight: number
  /** The largest message in flight. It is let off the hard limit: one large paste must not drive every reader away. */
  #largestInFlight = 0
  #waiting: (() => void)[] | null = null
  #cancelStall: CancelTimer | null = null
  #isClosed = false

  constructor(options: OutboxOptions) {
    this.#options = options
    this.#bytesInFlight = options.bytesInFlight ?? 0
    if (this.#bytesInFlight > 0) this.#cancelStall = this.#armStall()
  }

  get bytesInFlight(): number {
    return this.#bytesInFlight
  }

  /** With more than this in flight, the largest message left out, the connection is closed. */
  get hardBytes(): number {
    return this.#options.hardBytes
  }

  /** Over the soft limit: nothing that can wait should be sent now. */
  get isCongested(): boolean {
    return this.#bytesInFlight > this.#options.softBytes
  }

  /** A message was handed to the connection. */
  charge(bytes: number): void {
    this.#bytesInFlight += bytes
    this.#largestInFlight = Math.max(this.#largestInFlight, bytes)
    if (this.#bytesInFlight - this.#largestInFlight > this.#options.hardBytes)
      this.#stall('outboxHardBytes')
    else if (!this.#isClosed) this.#cancelStall ??= this.#armStall()
  }

  /** Bytes that were charged have left. */
  discharge(bytes: number): void {
    this.#bytesInFlight -= bytes
    this.#cancelStall?.()
    this.#cancelStall = this.#bytesInFlight > 0 && !this.#isClosed ? this.#armStall() : null
    if (!this.#isDrained) return
    this.#largestInFlight = 0
    const waiting = this.#waiting
    this.#waiting = null
    for (const callback of waiting ?? []) callback()
  }

  /** Calls back once, when nearly all that is in flight has left (at once when it has). Never after `close`. */
  whenDrained(callback: () => void): void {
    if (this.#isClosed) return
    if (this.#isDrained) callback()
    else (this.#waiting ??= []).push(callback)
  }

  /** Calls back when the answers that are ready in this turn were handed out, and so are counted. */
  afterAnswers(callback: () => void): void {
    this.#options.clock.afterTurn(callback)
  }

  close(): void {
    this.#isClosed = true
    this.#cancelStall?.()
    this.#cancelStall = null
    this.#waiting = null
  }

  get #isDrained(): boolean {
    return this.#bytesInFlight <= this.#options.softBytes * DRAINED_FRACTION
  }

  #armStall(): CancelTimer {
    const options = this.#options
    const before = options.unwrittenBytes?.() ?? null
    return options.clock.setTimer(options.stallMs, () => {
      const now = options.unwrittenBytes?.() ?? null
      if (before !== null && now !== null && now !== before && !this.#isClosed)
        this.#cancelStall = this.#armStall()
      else this.#stall('outboxStallMs')
    })
  }

  #stall(limit: 'outboxHardBytes' | 'outboxStallMs'): void {
    if (!this.#isClosed) this.#options.onStalled(limit)
  }
}
