import type { CancelTimer, Clock } from '../clock.ts'

/** An update on its way here, as far as it has come. Its memory is taken as it arrives, not as it is announced. */
export interface Upload {
  readonly bytes: Uint8Array
  received: number
}

interface Parked {
  readonly upload: Upload
  readonly expiresAt: number
}

/**
 * Uploads whose connection was lost, for as long as their client may be coming back. Bounded by time and by bytes over all
 * clients; what no longer fits goes first in, first out. Losing one costs its client to send it again from the beginning.
 */
export class ParkedUploads {
  readonly #clock: Clock
  readonly #maxBytes: number
  readonly #keepMs: number
  /** In the order in which they expire: a Map keeps insertion order. */
  readonly #parked = new Map<string, Parked>()
  /** Those that a connection still has, and what makes it park them. */
  readonly #held = new Map<string, () => void>()
  #bytes = 0
  #cancelExpiry: CancelTimer | null = null
  #isClosed = false

  constructor(clock: Clock, maxBytes: number, keepMs: number) {
    this.#clock = clock
    this.#maxBytes = maxBytes
    this.#keepMs = keepMs
  }

  /** What has arrived of all that is kept. */
  get bytes(): number {
    return this.#bytes
  }

  /**
   * A connection has an upload of this name. It may be dead without anybody having noticed: `park` is called when the client comes back
   * through another one.
   */
  hold(name: string, park: () => void): void {
    this.#held.set(name, park)
  }

  /** The connection has it no longer: it was handed in, or parked. */
  release(name: string, park: () => void): void {
    if (this.#held.get(name) === park) this.#held.delete(name)
  }

  park(name: string, upload: Upload): void {
    this.#drop(name)
    if (this.#isClosed || upload.received === 0 || upload.received > this.#maxBytes) return
    this.#parked.set(name, { upload, expiresAt: this.#clock.now() + this.#keepMs })
    this.#bytes += upload.received
    for (const oldest of this.#parked.keys()) {
      if (this.#bytes <= this.#maxBytes) break
      this.#drop(oldest)
    }
    this.#awaitExpiry()
  }

  /** The upload of this name; it is forgotten here. Null if there is none of this size. */
  take(name: string, size: number): Upload | null {
    this.#held.get(name)?.()
    const parked = this.#parked.get(name)
    if (parked === undefined || parked.upload.bytes.length !== size) return null
    this.#drop(name)
    return parked.upload
  }

  close(): void {
    this.#isClosed = true
    this.#cancelExpiry?.()
    this.#parked.clear()
    this.#held.clear()
    this.#bytes = 0
  }

  #drop(name: string): void {
    const parked = this.#parked.get(name)
    if (parked === undefined) return
    this.#parked.delete(name)
    this.#bytes -= parked.upload.received
    if (this.#parked.size > 0) return
    this.#cancelExpiry?.()
    this.#cancelExpiry = null
  }

  #awaitExpiry(): void {
    const [first] = this.#parked.values()
    if (first === undefined || this.#cancelExpiry !== null) return
    const delayMs = Math.max(0, first.expiresAt - this.#clock.now())
    this.#cancelExpiry = this.#clock.setTimer(delayMs, () => {
      this.#cancelExpiry = null
      const now = this.#clock.now()
      for (const [name, { expiresAt }] of this.#parked) if (expiresAt <= now) this.#drop(name)
      this.#awaitExpiry()
    })
  }
}
