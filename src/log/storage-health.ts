import type { CancelTimer, Clock } from '../clock.ts'
import type { Storage } from '../storage/storage.ts'

/** After a failed write the storage is tried after this long, then after twice as long, and so on… */
const MIN_PROBE_MS = 1000
/** …up to this: as long as an operator who has made room may have to wait for traffic. */
const MAX_PROBE_MS = 30_000

/**
 * Whether the storage takes writes. A failed one says that it does not; only one that succeeds says that it does again. When nobody
 * writes (clients wait, the load balancer sends nobody here) a write of our own has to: an `append` of nothing. [ST3]
 */
export class StorageHealth {
  readonly #storage: Storage
  readonly #clock: Clock
  #fault: string | null = null
  #probeMs = MIN_PROBE_MS
  #cancelProbe: CancelTimer | null = null
  #isProbing = false
  #isClosed = false

  constructor(storage: Storage, clock: Clock) {
    this.#storage = storage
    this.#clock = clock
  }

  /** Why nothing can be written, or null. */
  get fault(): string | null {
    return this.#fault
  }

  handleWritten(): void {
    this.#fault = null
    this.#probeMs = MIN_PROBE_MS
    this.#cancelProbe?.()
    this.#cancelProbe = null
  }

  handleFailed(error: unknown): void {
    this.#fault = error instanceof Error ? error.message : String(error)
    if (this.#isClosed || this.#isProbing || this.#cancelProbe !== null) return
    this.#cancelProbe = this.#clock.setTimer(this.#probeMs, () => {
      this.#cancelProbe = null
      this.#probeMs = Math.min(this.#probeMs * 2, MAX_PROBE_MS)
      void this.#probe()
    })
  }

  close(): void {
    this.#isClosed = true
    this.#cancelProbe?.()
    this.#cancelProbe = null
  }

  async #probe(): Promise<void> {
    this.#isProbing = true
    const error = await this.#storage.append([]).then(
      () => null,
      (reason: unknown) => reason ?? 'unknown',
    )
    this.#isProbing = false
    if (error === null) this.handleWritten()
    else this.handleFailed(error)
  }
}
