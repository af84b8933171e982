import { deferred, type Deferred } from './deferred.ts'
import type { ProviderError } from './provider-error.ts'

/** The promises of a provider that something is there. */
export class Readiness<Provider> {
  readonly #provider: Provider
  #loaded = deferred<Provider>()
  #synced = deferred<Provider>()
  #hasEnded = false
  #isLoaded = false
  #hasFailedToLoad = false

  constructor(provider: Provider) {
    this.#provider = provider
  }

  /** Resolves when in sync; rejects when the server refuses for good. */
  get whenSynced(): Promise<Provider> {
    return this.#synced.promise
  }

  /** Resolves when there is something to show, from wherever; rejects when there will not be. */
  get whenLoaded(): Promise<Provider> {
    return this.#loaded.promise
  }

  handleLoaded(): void {
    this.#isLoaded = true
    this.#loaded.resolve(this.#provider)
  }

  handleSynced(isSynced: boolean): void {
    if (isSynced) this.#synced.resolve(this.#provider)
    else this.#synced = deferred<Provider>()
  }

  /** There will be no sync, until `restart`. */
  end(error: ProviderError): void {
    this.#hasEnded = true
    rejectQuietly(this.#synced, error)
  }

  /** Nor is there anything on this device. */
  endLoading(error: ProviderError): void {
    this.#hasEnded = true
    rejectQuietly(this.#loaded, error)
    this.#hasFailedToLoad = true
  }

  /** It is tried again. */
  restart(): void {
    if (!this.#hasEnded) return
    this.#hasEnded = false
    this.#synced = deferred<Provider>()
    if (this.#hasFailedToLoad && !this.#isLoaded) this.#loaded = deferred<Provider>()
    this.#hasFailedToLoad = false
  }
}

/** Nobody needs to await it: the end was announced as an event. */
function rejectQuietly<Value>({ promise, reject }: Deferred<Value>, error: ProviderError): void {
  promise.catch(() => undefined)
  reject(error)
}
