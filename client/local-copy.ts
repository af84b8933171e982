import type * as Y from 'yjs'
import type { Epoch } from '../protocol/index.ts'
import type { CancelTimer, Clock } from './clock.ts'
import { deferred } from './deferred.ts'
import { knownEpoch, rememberEpoch } from './known-epochs.ts'
import {
  isTracked,
  type LoadedCopy,
  type LocalPersistence,
  type TrackedPersistence,
} from './persistence/local-persistence.ts'
import { persistenceError } from './persistence/persistence-error.ts'
import { ProviderError } from './provider-error.ts'
import type { SaveLedger } from './save-ledger.ts'

/** A disk that takes longer to read a document is slower than the network. */
const DEFAULT_WAIT_MS = 2000

export type PersistenceSource =
  | LocalPersistence
  | ((documentName: string, doc: Y.Doc) => LocalPersistence)
  | null

interface LocalCopyOptions {
  readonly source: PersistenceSource | undefined
  /** How long a join waits for what is stored; false: not at all. */
  readonly waitMs: number | false | undefined
  readonly doc: Y.Doc
  readonly documentName: string
  readonly serverUrl: string
  readonly ledger: SaveLedger
  readonly clock: Clock
  /** Whether a change is the server's own, so that nobody needs to send it. */
  readonly isConfirmed: (origin: unknown) => boolean
  /** Whether another page stores a change, where we store ours. */
  readonly isStoredElsewhere: (origin: unknown) => boolean
  readonly handlers: {
    /** What is stored is in the document. */
    handleLoaded(): void
    /** `isStored` may have changed. */
    handleStored(): void
    /** A membership that began without the stored changes must compare anew. */
    handleLate(): void
    handleError(error: ProviderError): void
  }
}

/** What a provider has to do with the copy of its document on this device, if there is one. */
export class LocalCopy {
  readonly persistence: LocalPersistence | null
  readonly #options: LocalCopyOptions
  readonly #tracked: TrackedPersistence | null
  readonly #isOwn: boolean
  readonly #whenLoaded = deferred<void>()
  #state: 'loading' | 'loaded' | 'failed' | 'over'
  #hasJoined = false
  /** A join that waits for the stored state. */
  #join: (() => void) | null = null
  #cancelWait: CancelTimer | null = null

  constructor(options: LocalCopyOptions) {
    const { source = null, doc, documentName } = options
    this.#options = options
    this.#isOwn = typeof source === 'function'
    this.persistence = typeof source === 'function' ? source(documentName, doc) : source
    this.#tracked =
      this.persistence !== null && isTracked(this.persistence) ? this.persistence : null
    this.#state = this.persistence === null ? 'over' : 'loading'
    this.#whenLoaded.promise.catch(() => undefined)
    if (this.persistence === null) this.#whenLoaded.resolve()
  }

  /** After the constructor, so that whoever is told has us. */
  start(): void {
    const { persistence } = this
    if (persistence === null) return
    // Until it is read, nobody knows whether it holds changes that no server has.
    if (this.#tracked === null) this.#options.ledger.markUnverified()
    else this.#options.ledger.markUnread()
    this.#tracked?.attach({
      documentName: this.#options.documentName,
      serverUrl: this.#options.serverUrl,
      isConfirmed: this.#options.isConfirmed,
      isStoredElsewhere: this.#options.isStoredElsewhere,
      acceptsEpoch: (epoch) => {
        const known = this.#knownEpoch()
        return known === null || known === epoch
      },
      handleLoaded: (copy) => this.#handleCopy(copy),
      handleStored: () => this.#options.handlers.handleStored(),
      handleError: (error) => this.#options.handlers.handleError(error),
    })
    void this.#awaitLoad(persistence)
  }

  /** What is on the disk may still come. */
  get isLoading(): boolean {
    return this.#state === 'loading'
  }

  /** Where our changes are stored, if other pages may store theirs there too; null where that is not known. */
  get sharedName(): string | null {
    const isStoring = this.#state === 'loading' || this.#state === 'loaded'
    return (isStoring && this.#tracked?.sharedName) || null
  }

  /** Of `sharedName`: everything that this page was to store there is stored. */
  get isOwnStored(): boolean {
    return this.#tracked?.isOwnStored === true
  }

  /** Other pages have stored there what they were to store. */
  handleStoredElsewhere(): void {
    this.#tracked?.handleStoredElsewhere?.()
  }

  get isLoaded(): boolean {
    return this.#state === 'loaded'
  }

  /** Rejects if what is stored cannot be read. At once without a persistence. */
  get whenLoaded(): Promise<void> {
    return this.#whenLoaded.promise
  }

  /** Every change is committed on this device; never claimed for a persistence that cannot tell. */
  get isStored(): boolean {
    return (
      this.#tracked !== null &&
      (this.#state === 'loading' || this.#state === 'loaded') &&
      this.#tracked.isStored
    )
  }

  /** It knows of everything in the document whether the server has it. */
  get isTracked(): boolean {
    return this.#tracked !== null
  }

  /** True for a change that was read from the disk. It is dealt with. */
  takesChange(origin: unknown): boolean {
    if (origin === null || origin !== this.persistence) return false
    if (this.#tracked === null) this.#handleForeignChange()
    return true
  }

  /** Joins as soon as the stored state is in the document, or could have been. */
  whenReadyToJoin(join: () => void): void {
    const waitMs = this.#options.waitMs ?? DEFAULT_WAIT_MS
    if (this.#state !== 'loading' || waitMs === false || this.#hasJoined) {
      this.#hasJoined = true
      join()
      return
    }
    this.#join = join
    this.#cancelWait?.()
    this.#cancelWait = this.#options.clock.setTimer(waitMs, () => this.#joinNow())
  }

  /** The connection on which to join is gone. */
  forgetJoin(): void {
    this.#cancelWait?.()
    this.#cancelWait = null
    this.#join = null
  }

  /** What follows from the server is of this history. */
  handleEpoch(epoch: Epoch): void {
    this.#tracked?.stampEpoch(epoch)
  }

  /** Waits in the document for what it builds on: a change of it will bring more than itself, or never come. */
  storeWaiting(update: Uint8Array): void {
    this.#tracked?.storeWaiting?.(update)
  }

  /** A tab that had the document is gone. */
  handleTabGone(): void {
    this.#tracked?.handlePageGone?.()
  }

  /** Every change is durable on the server. */
  handleSaved(): void {
    this.#tracked?.confirm()
  }

  /** Deletes what is stored; nothing is stored from then on. */
  async clear(): Promise<void> {
    const { persistence } = this
    if (persistence !== null && persistence.clearData === undefined)
      throw new ProviderError('persistence-failed', 'this persistence cannot delete what it stores')
    this.#detach()
    await persistence?.clearData?.()
  }

  /**
   * The history that is stored has ended. Resolves with what a copy of the next one is made by: only a function makes another one, and
   * only of a persistence that can keep the old bytes apart.
   */
  async setAside(): Promise<PersistenceSource> {
    const { source = null, handlers } = this.#options
    this.#detach()
    try {
      if (this.#tracked !== null) await this.#tracked.setAside()
      else await this.persistence?.destroy()
      return this.#tracked !== null && typeof source === 'function' ? source : null
    } catch (cause) {
      handlers.handleError(persistenceError(cause, 'set the local copy aside'))
      return null
    }
  }

  destroy(): void {
    this.#detach()
    if (!this.#isOwn) return
    const ending = this.persistence?.destroy()
    if (ending instanceof Promise)
      ending.catch((cause: unknown) =>
        this.#options.handlers.handleError(persistenceError(cause, 'close the local copy')),
      )
  }

  async #awaitLoad(persistence: LocalPersistence): Promise<void> {
    try {
      await persistence.whenSynced
    } catch (cause) {
      if (this.#state !== 'loading') return
      this.#state = 'failed'
      // Ours told it as an event.
      const error = persistenceError(cause, 'read the local copy')
      if (this.#tracked === null) this.#options.handlers.handleError(error)
      this.#whenLoaded.reject(error)
      if (this.#tracked !== null) {
        this.#options.ledger.markUnverified()
        this.#options.ledger.handleRead(null)
      }
      this.#joinNow()
      this.#options.handlers.handleStored()
      return
    }
    this.#handleLoaded()
  }

  /** The bytes are in the document: what is known about them. */
  #handleCopy({ epoch, pending, pendingChanges, isUnverified }: LoadedCopy): void {
    const { doc, serverUrl, documentName, ledger, handlers } = this.#options
    const known = this.#knownEpoch()
    if (epoch !== null && known === null) rememberEpoch(doc, serverUrl, documentName, epoch)
    // The copy was set aside under a document that is opened again: what is stored anew belongs to that one's history.
    if (epoch === null && known !== null) this.handleEpoch(known)
    if (isUnverified) ledger.markUnverified()
    ledger.handleRead(pending === null ? null : { update: pending, changes: pendingChanges })
    if (this.#hasJoined && (isUnverified || pending !== null)) handlers.handleLate()
    this.#handleLoaded()
  }

  /** Read by y-indexeddb, which cannot tell what the server has: the join compares. */
  #handleForeignChange(): void {
    const { ledger, clock, handlers } = this.#options
    ledger.markUnverified()
    if (this.#hasJoined) clock.afterTurn(() => handlers.handleLate())
  }

  #handleLoaded(): void {
    if (this.#state === 'loaded' || this.#state === 'over') return
    this.#state = 'loaded'
    this.#whenLoaded.resolve()
    this.#options.handlers.handleLoaded()
    this.#joinNow()
    this.#options.handlers.handleStored()
  }

  #joinNow(): void {
    const join = this.#join
    this.forgetJoin()
    if (join === null) return
    this.#hasJoined = true
    join()
  }

  #detach(): void {
    this.#state = 'over'
    // Whoever still waits for what is stored will not get it. Without effect once it is there.
    this.#whenLoaded.reject(
      new ProviderError('destroyed', 'the local copy was let go before it was read', {
        retry: 'never',
        documentName: this.#options.documentName,
      }),
    )
    this.forgetJoin()
    this.#tracked?.attach(null)
  }

  #knownEpoch(): Epoch | null {
    const { doc, serverUrl, documentName } = this.#options
    return knownEpoch(doc, serverUrl, documentName)
  }
}
