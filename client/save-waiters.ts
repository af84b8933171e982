import type { Clock } from './clock.ts'
import { ProviderError } from './provider-error.ts'

export interface WhenSavedOptions {
  /** Rejects with the code `save-timeout` after this many milliseconds. Default: waits as long as it takes. */
  readonly timeoutMs?: number | undefined
  /** Rejects with its reason when it aborts. */
  readonly signal?: AbortSignal | undefined
}

/** Everybody who waits until all changes are durable. */
export class SaveWaiters {
  readonly #clock: Clock
  readonly #waiters = new Set<(error: unknown) => void>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  wait({ timeoutMs, signal }: WhenSavedOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted()
      const settle = (error: unknown): void => {
        this.#waiters.delete(settle)
        cancelTimeout?.()
        signal?.removeEventListener('abort', handleAbort)
        if (error === null) resolve()
        else reject(error as Error)
      }
      const handleAbort = (): void => settle(signal?.reason)
      const cancelTimeout =
        timeoutMs === undefined
          ? null
          : this.#clock.setTimer(timeoutMs, () =>
              settle(new ProviderError('save-timeout', `not saved within ${timeoutMs} ms`)),
            )
      signal?.addEventListener('abort', handleAbort)
      this.#waiters.add(settle)
    })
  }

  resolveAll(): void {
    for (const settle of [...this.#waiters]) settle(null)
  }

  rejectAll(error: ProviderError): void {
    for (const settle of [...this.#waiters]) settle(error)
  }
}
