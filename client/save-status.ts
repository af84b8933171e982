import type { Clock } from './clock.ts'
import type { ProviderError } from './provider-error.ts'
import type { SaveState } from './provider-events.ts'
import type { SaveLedger } from './save-ledger.ts'
import { SaveWaiters, type WhenSavedOptions } from './save-waiters.ts'

export interface SaveStatusHandlers {
  handleCount(unsyncedChanges: number): void
  handleState(state: SaveState, unsyncedChanges: number): void
  /** After both: something about saving may have changed. */
  handleChange(): void
}

interface SaveStatusOptions {
  readonly ledger: SaveLedger
  readonly clock: Clock
  /** In the document, so that what waits is on its way. */
  readonly isLive: () => boolean
  /** Everything is committed on this device. */
  readonly isStored: () => boolean
  readonly handlers: SaveStatusHandlers
}

/** What the ledger means for people: one word, told when it changes, and whoever waits for it to be `saved`. */
export class SaveStatus {
  readonly #options: SaveStatusOptions
  readonly #waiters: SaveWaiters
  #told: SaveState = 'saved'
  #toldCount = 0
  #lastSavedAt: number | null = null

  constructor(options: SaveStatusOptions) {
    this.#options = options
    this.#waiters = new SaveWaiters(options.clock)
  }

  get state(): SaveState {
    const { ledger, isLive, isStored } = this.#options
    if (ledger.rejection !== null) return 'rejected'
    if (ledger.unsyncedChanges === 0) return 'saved'
    if (isLive()) return 'saving'
    return isStored() ? 'saved-locally' : 'unsaved'
  }

  /** When the server last confirmed a change of ours, in milliseconds since 1970. */
  get lastSavedAt(): number | null {
    return this.#lastSavedAt
  }

  /** The server has confirmed a change of ours as durable. */
  handleConfirmed(): void {
    this.#lastSavedAt = this.#options.clock.now()
  }

  /** Looks again, and tells what has changed. */
  refresh(): void {
    const { handlers, ledger } = this.#options
    const { state } = this
    const count = ledger.unsyncedChanges
    const isNewCount = count !== this.#toldCount
    const isNewState = state !== this.#told
    this.#toldCount = count
    this.#told = state
    if (isNewCount) handlers.handleCount(count)
    // A listener may have edited the document; then its own change was announced, and this one is no longer true.
    if (isNewState && this.#told === state) handlers.handleState(state, count)
    if (this.state === 'saved') this.#waiters.resolveAll()
    handlers.handleChange()
  }

  /** Resolves when all is saved; rejects with what stands against it, at once or later. */
  async whenSaved(options: WhenSavedOptions, refusal: ProviderError | null): Promise<void> {
    const { ledger } = this.#options
    if (ledger.rejection !== null) throw ledger.rejection
    if (ledger.unsyncedChanges === 0) return
    if (refusal !== null) throw refusal
    await this.#waiters.wait(options)
  }

  /** Nothing more will be saved: tells whoever waits. */
  rejectWaiters(error: ProviderError): void {
    this.#waiters.rejectAll(error)
  }
}
