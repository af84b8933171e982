import { deferred } from './deferred.ts'
import type { ProviderError } from './provider-error.ts'

/** The promises of a provider that something is there. */
export class Readiness<Provider> {
  readonly #provider: Provider
  readonly #loaded = deferred<Provider>()
  #synced = deferred<Provider>()
  #hasEnded = false

  constructor(provider: Provider) {
    this.#provider = provider
  }

  /** Resolves when in sync; rejects when the server refuses for good. */
  get whenSynced(): Promise<Provider> {
    return this.#synced.promise
  }

  /** Resolves when there is something to show, from wherever. */
  get whenLoaded(): Promise<Provider> {
    return this.#loaded.promise
  }

  handleLoaded(): void {
    this.#loaded.resolve(this.#provider)
  }

  handleSynced(isSynced: boolean): void {
    if (isSynced) this.#synced.resolve(this.#provider)
    else this.#synced = deferred<Provider>()
  }

  /** There will be no sync, until `restart`. */
  end(error: ProviderError): void {
    this.#hasEnded = true
    const { promise, reject } = this.#synced
    // Nobody needs to await it: the end was announced as an event.
    promise.catch(() => undefined)
    reject(error)
  }

  /** It is tried again. */
  restart(): void {
    if (!this.#hasEnded) return
    this.#hasEnded = false
    this.#synced = deferred<Provider>()
  }
}
