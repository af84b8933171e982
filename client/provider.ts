import type { Awareness } from 'y-protocols/awareness'
import type * as Y from 'yjs'
import { CLOSED_ABNORMALLY, CLOSED_HERE, closeCode } from './close-code.ts'
import type { Clock } from './clock.ts'
import { acquireConnection, releaseConnection } from './connection-registry.ts'
import type { ConnectionMember, ConnectionStatus } from './connection-options.ts'
import type { SocketIOConnection } from './connection.ts'
import { deferred } from './deferred.ts'
import type { DocumentSyncHandlers } from './document-sync-options.ts'
import { DocumentSync } from './document-sync.ts'
import { createOwnAwareness, type OwnAwareness } from './own-awareness.ts'
import { Presence } from './presence.ts'
import { ProviderError } from './provider-error.ts'
import type { ProviderState, SaveState } from './provider-events.ts'
import { isFormatCleanup } from './format-cleanup.ts'
import { NamedProvider } from './provider-names.ts'
import {
  DEFAULT_SELF_CHECK_MS,
  resolveConfig,
  type ProviderArguments,
  type ProviderConfig,
  type ProviderOptions,
  type ResolvedConfig,
} from './provider-options.ts'
import { SaveLedger } from './save-ledger.ts'
import { SaveWaiters, type WhenSavedOptions } from './save-waiters.ts'
import type { SocketIOOptions } from './socket-io-wire.ts'
import { StateView } from './state-view.ts'
import { isEmptyDocument } from './upload-plan.ts'

/**
 * Keeps a Y.Doc in sync with a document of a y-rooms server, and says truthfully what is saved.
 *
 * It connects at once unless told otherwise, and stays connected through every failure that may
 * heal. Local edits never wait for it.
 */
export class SocketIOProvider extends NamedProvider {
  readonly type = 'socketio'
  override readonly url: string
  override readonly doc: Y.Doc
  override readonly name: string
  /** Whose state the application sets and whose others it shows. The same object for life. */
  readonly awareness: Awareness
  readonly connection: SocketIOConnection
  readonly configuration: Readonly<ResolvedConfig>
  /** What the application wants: set by `connect`, cleared by `disconnect` and by a final refusal. */
  shouldConnect = false

  readonly #clock: Clock
  readonly #ownAwareness: OwnAwareness | null
  readonly #presence: Presence
  readonly #ledger: SaveLedger
  readonly #sync: DocumentSync
  readonly #member: ConnectionMember
  /** What Yjs tidied up in a document that we only read: nobody's edit, and not to be refused as one. */
  readonly #cleanups = new WeakSet<Y.Transaction>()
  readonly #saveWaiters: SaveWaiters
  readonly #view = new StateView<ProviderState>(() => {
    const { status, synced, saveState, unsyncedChanges, lastSavedAt } = this
    return { status, synced, saveState, unsyncedChanges, lastSavedAt, error: this.#error }
  })
  #whenSynced = deferred<this>()
  #status: ConnectionStatus = 'disconnected'
  #saveState: SaveState = 'saved'
  #unsyncedChanges = 0
  #lastSavedAt: number | null = null
  #error: ProviderError | null = null
  /** The refusal that ended it, until the next `connect`. */
  #refusal: ProviderError | null = null
  #isDestroyed = false

  constructor(config: ProviderConfig)
  constructor(
    url: string,
    name: string,
    doc?: Y.Doc,
    options?: ProviderOptions,
    socketIo?: SocketIOOptions,
  )
  constructor(...args: ProviderArguments) {
    super()
    const config = resolveConfig(args)
    this.configuration = config
    this.url = config.url
    this.doc = config.document
    this.name = config.name
    this.connection = config.connection ?? acquireConnection(config)
    this.#clock = this.connection.clock
    this.#ownAwareness = config.awareness ? null : createOwnAwareness(this.doc)
    this.awareness = config.awareness ?? (this.#ownAwareness as OwnAwareness).awareness
    if (config.awareness === null) this.awareness.setLocalState(null)
    this.#presence = new Presence({
      awareness: this.awareness,
      clock: this.#clock,
      origin: this,
      handleError: (error) => this.#report(error),
    })
    this.#saveWaiters = new SaveWaiters(this.#clock)
    this.#ledger = new SaveLedger(this.doc, () => this.#handleSaveChange())
    this.#sync = new DocumentSync({
      doc: this.doc,
      documentName: this.name,
      serverUrl: this.url,
      clientId: () => this.awareness.clientID,
      ledger: this.#ledger,
      clock: this.#clock,
      maxBackoffMs: this.connection.maxBackoffMs,
      selfCheckIntervalMs:
        config.selfCheckIntervalMs === undefined
          ? DEFAULT_SELF_CHECK_MS
          : config.selfCheckIntervalMs,
      origin: this,
      handlers: this.#syncHandlers(),
    })
    this.#member = this.#connectionMember()
    if (!isEmptyDocument(this.doc)) this.#ledger.markUnverified()
    this.doc.on('afterTransaction', this.#handleTransaction)
    this.doc.on('update', this.#handleDocUpdate)
    this.doc.on('destroy', this.#handleDocDestroy)
    if (config.connect ?? config.autoConnect ?? true) this.connect()
  }

  override get status(): ConnectionStatus {
    return this.#status
  }

  /** Everything that the server had when we joined is applied, and we are still in the document. */
  override get synced(): boolean {
    return this.#sync.isSynced
  }

  /** Resolves when in sync, at once if it is; rejects when the server refuses for good. */
  get whenSynced(): Promise<this> {
    return this.#whenSynced.promise
  }

  /** How many local changes have no durable acknowledgement. Content from before the provider counts as one. */
  override get unsyncedChanges(): number {
    return this.#ledger.unsyncedChanges
  }

  get saveState(): SaveState {
    if (this.#ledger.rejection !== null) return 'rejected'
    if (this.unsyncedChanges === 0) return 'saved'
    return this.#sync.isLive ? 'saving' : 'unsaved'
  }

  /** When the server last confirmed a change of ours, in milliseconds since 1970. */
  get lastSavedAt(): number | null {
    return this.#lastSavedAt
  }

  /** Connects, and stays connected. Returns at once; `whenSynced` is the promise. */
  connect(): void {
    if (this.#isDestroyed || this.shouldConnect) return
    this.shouldConnect = true
    if (this.#refusal !== null) {
      this.#refusal = null
      this.#whenSynced = deferred<this>()
    }
    this.connection.attach(this.#member)
  }

  /** Leaves the document. Changes made from here on wait for `connect`. */
  disconnect(): void {
    if (!this.shouldConnect) return
    this.shouldConnect = false
    const wasConnected = this.connected
    this.#sync.leave()
    this.connection.detach(this.#member)
    this.#setStatus('disconnected')
    if (wasConnected)
      this.emit('connection-close', [
        { code: CLOSED_HERE, reason: 'disconnect was called', wasClean: true },
        this,
      ])
  }

  /** Disconnects for good and leaves the Y.Doc, and an Awareness that was given, as they are. */
  override destroy(): void {
    if (this.#isDestroyed) return
    this.disconnect()
    this.#isDestroyed = true
    this.doc.off('afterTransaction', this.#handleTransaction)
    this.doc.off('update', this.#handleDocUpdate)
    this.doc.off('destroy', this.#handleDocDestroy)
    this.#presence.destroy()
    this.#ownAwareness?.destroy()
    releaseConnection(this.connection)
    this.#refusal = new ProviderError('destroyed', 'the provider was destroyed', {
      retry: 'never',
      documentName: this.name,
    })
    this.#saveWaiters.rejectAll(this.#refusal)
    this.#rejectWhenSynced(this.#refusal)
    this.emit('destroy', [this])
    this.#view.close()
    super.destroy()
  }

  /** Resolves when every local change so far, and made meanwhile, is durable on the server. */
  async whenSaved(options: WhenSavedOptions = {}): Promise<void> {
    this.#sync.flush()
    if (this.#ledger.rejection !== null) throw this.#ledger.rejection
    if (!this.hasUnsyncedChanges) return
    if (this.#refusal !== null) throw this.#refusal
    await this.#saveWaiters.wait(options)
  }

  /** All changes without a durable acknowledgement as one Yjs update, or null: "download my changes". */
  pendingUpdate(): Uint8Array | null {
    return this.#ledger.pendingUpdate()
  }

  /** Calls with the present state and whenever it changes (Svelte's contract). Returns what stops it. */
  readonly subscribe = (run: (state: ProviderState) => void): (() => void) =>
    this.#view.subscribe(run)

  /** The present state; the same object as long as nothing changed (React's contract). */
  readonly getSnapshot = (): ProviderState => this.#view.current()

  readonly #handleDocUpdate = (
    update: Uint8Array,
    origin: unknown,
    _doc: Y.Doc,
    transaction: Y.Transaction,
  ): void => {
    if (origin === this) return
    if (this.#cleanups.delete(transaction)) return
    if (!transaction.local && !this.#sync.isLive) {
      // Loaded from elsewhere (a database, a peer). Mostly the server has it: the join will tell.
      this.#ledger.markUnverified()
      return
    }
    this.#ledger.add(update)
    this.#sync.handleLocalChange()
  }

  readonly #handleTransaction = (transaction: Y.Transaction): void => {
    if (this.#sync.isReadOnly && isFormatCleanup(transaction)) this.#cleanups.add(transaction)
  }

  readonly #handleDocDestroy = (): void => this.destroy()

  #syncHandlers(): DocumentSyncHandlers {
    return {
      handleSynced: (isSynced) => {
        if (isSynced) this.#error = this.#ledger.rejection
        this.#handleSynced(isSynced)
      },
      handleJoined: (membership, presence) => {
        this.#handleSaveChange()
        this.#presence.handleJoined(membership, presence)
      },
      handleLeft: () => {
        this.#presence.handleLeft()
        this.#handleSaveChange()
      },
      handlePresence: (update) => this.#presence.handleRemote(update),
      handleProgress: (received, total) => this.emit('progress', [{ received, total }]),
      handleUploadProgress: (sent, total) => this.emit('upload-progress', [{ sent, total }]),
      handleSaved: () => {
        this.#lastSavedAt = this.#clock.now()
      },
      handleRejected: (error) => {
        this.#saveWaiters.rejectAll(error)
        const update = this.pendingUpdate()
        if (update !== null) this.emit('rejected', [{ update, error }])
        this.#report(error)
      },
      handleError: (error) => this.#report(error),
      handleEnded: (error) => this.#handleEnded(error),
    }
  }

  #connectionMember(): ConnectionMember {
    return {
      handleStatus: (status) => this.#setStatus(status),
      handleOpen: (channel) => this.#sync.open(channel),
      handleDown: (reason) => {
        this.#sync.handleDown()
        this.emit('connection-close', [{ code: CLOSED_ABNORMALLY, reason, wasClean: false }, this])
      },
      handleFailedAttempt: (error) => {
        this.emit('connection-error', [error, this])
        this.#report(error)
      },
      handleRefused: (error) => {
        this.emit('connection-error', [error, this])
        this.#handleEnded(error)
      },
    }
  }

  #handleSynced(isSynced: boolean): void {
    if (isSynced) this.#whenSynced.resolve(this)
    else this.#whenSynced = deferred<this>()
    this.doc.emit('sync', [isSynced, this.doc])
    this.emit('sync', [isSynced])
    if (isSynced) this.emit('synced', [{ state: true }])
    this.#view.refresh()
  }

  #handleEnded(error: ProviderError): void {
    this.#refusal = error
    this.shouldConnect = false
    this.connection.detach(this.#member)
    this.#setStatus('disconnected')
    this.#report(error)
    this.emit('closed', [{ code: closeCode(error.code), reason: error.code, wasClean: true }, this])
    this.#saveWaiters.rejectAll(error)
    this.#rejectWhenSynced(error)
  }

  #rejectWhenSynced(error: ProviderError): void {
    const { promise, reject } = this.#whenSynced
    // Nobody needs to await it: the end was announced as an event.
    promise.catch(() => undefined)
    reject(error)
  }

  #setStatus(status: ConnectionStatus): void {
    if (status === this.#status) return
    this.#status = status
    this.emit('status', [{ status, connected: status === 'connected' }])
    this.#view.refresh()
  }

  #handleSaveChange(): void {
    const { saveState, unsyncedChanges } = this
    const isNewCount = unsyncedChanges !== this.#unsyncedChanges
    const isNewState = saveState !== this.#saveState
    this.#unsyncedChanges = unsyncedChanges
    this.#saveState = saveState
    if (isNewCount) this.emit('unsyncedChanges', [{ number: unsyncedChanges }])
    // A listener may have edited the document; then its own change was announced, and this one is no longer true.
    if (isNewState && this.#saveState === saveState)
      this.emit('save-state', [
        { state: saveState, pending: unsyncedChanges, lastSavedAt: this.#lastSavedAt },
      ])
    if (this.saveState === 'saved') this.#saveWaiters.resolveAll()
    this.#view.refresh()
  }

  #report(error: ProviderError): void {
    this.#error = error
    this.emit('error', [error])
    this.#view.refresh()
  }
}
