import type { CancelTimer, Clock } from '../clock.ts'

/** An update on its way here, as far as it has come. Its memory is taken as it arrives, not as it is announced. */
export interface Upload {
  readonly bytes: Uint8Array
  received: number
}

interface Parked {
  /** How many bytes the whole update has. */
  readonly size: number
  /** What has arrived, at the beginning of as much memory as is counted. */
  readonly bytes: Uint8Array
  readonly received: number
  readonly expiresAt: number
}

/** What one takes beside its bytes. */
const OVERHEAD_BYTES = 1024

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

  /** What all that is kept takes in memory. */
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
    const { received } = upload
    if (this.#isClosed || received === 0 || received > this.#maxBytes) return
    // A large buffer of which little is in use would take more than is counted, or count more than has arrived.
    const isMostlyFull =
      received * 2 >= upload.bytes.length && upload.bytes.length <= this.#maxBytes
    const parked: Parked = {
      size: upload.bytes.length,
      bytes: isMostlyFull ? upload.bytes : upload.bytes.slice(0, received),
      received,
      expiresAt: this.#clock.now() + this.#keepMs,
    }
    this.#parked.set(name, parked)
    this.#bytes += memoryOf(parked)
    for (const oldest of this.#parked.keys()) {
      if (this.#bytes <= this.#maxBytes || oldest === name) break
      this.#drop(oldest)
    }
    this.#awaitExpiry()
  }

  /** The upload of this name; it is forgotten here. Null if there is none of this size. */
  take(name: string, size: number): Upload | null {
    this.#held.get(name)?.()
    const parked = this.#parked.get(name)
    if (parked === undefined || parked.size !== size) return null
    this.#drop(name)
    const { bytes, received } = parked
    if (bytes.length === size) return { bytes, received }
    const whole = new Uint8Array(size)
    whole.set(bytes)
    return { bytes: whole, received }
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
    this.#bytes -= memoryOf(parked)
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

function memoryOf({ bytes }: Parked): number {
  return bytes.length + OVERHEAD_BYTES
}
