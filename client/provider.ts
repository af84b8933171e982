import type * as Y from 'yjs'
import { CLOSED_ABNORMALLY, CLOSED_HERE, closeCode } from './close-code.ts'
import type { Clock } from './clock.ts'
import { Compatibility } from './compatibility.ts'
import { connectionFor, type HeldConnection } from './connection-registry.ts'
import type { ConnectionMember, ConnectionStatus } from './connection-options.ts'
import type { SocketIOConnection } from './connection.ts'
import { deferred } from './deferred.ts'
import type { DocumentSyncHandlers } from './document-sync-options.ts'
import { DocumentSync } from './document-sync.ts'
import { createOwnAwareness, type OwnAwareness } from './own-awareness.ts'
import { Presence } from './presence.ts'
import { ProviderError } from './provider-error.ts'
import { isAccessRefusal } from './access-refusal.ts'
import type { EditorAwareness, ProviderState, SaveState, Scope } from './provider-events.ts'
import { isFormatCleanup } from './format-cleanup.ts'
import { NamedProvider } from './provider-names.ts'
import {
  resolveConfig,
  type ProviderArguments,
  type ProviderConfig,
  type ProviderOptions,
  type ResolvedConfig,
} from './provider-options.ts'
import { SaveLedger } from './save-ledger.ts'
import { SaveStatus } from './save-status.ts'
import type { WhenSavedOptions } from './save-waiters.ts'
import type { SocketIOOptions } from './socket-io-wire.ts'
import { StateView } from './state-view.ts'
import { Subdocuments } from './subdocuments.ts'
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
  override readonly awareness: EditorAwareness
  readonly connection: SocketIOConnection
  readonly configuration: Readonly<ResolvedConfig>
  /** What the application wants: set by `connect`, cleared by `disconnect` and by a final refusal. */
  override shouldConnect = false

  readonly #clock: Clock
  readonly #ownAwareness: OwnAwareness | null
  readonly #held: HeldConnection
  readonly #presence: Presence
  readonly #ledger: SaveLedger
  readonly #sync: DocumentSync
  readonly #member: ConnectionMember
  /** What Yjs tidied up in a document that we only read: nobody's edit, and not to be refused as one. */
  readonly #cleanups = new WeakSet<Y.Transaction>()
  readonly #saving: SaveStatus
  readonly #view = new StateView<ProviderState>(() => {
    const { status, synced, saveState, unsyncedChanges, lastSavedAt, readOnly } = this
    const scope = this.authorizedScope
    const error = this.#error
    return { status, synced, saveState, unsyncedChanges, lastSavedAt, scope, readOnly, error }
  })
  #whenSynced = deferred<this>()
  #status: ConnectionStatus = 'disconnected'
  #error: ProviderError | null = null
  /** The refusal that ended it, until the next `connect`. */
  #refusal: ProviderError | null = null
  #scope: Scope | undefined
  readonly #compatibility: Compatibility
  readonly #subdocuments: Subdocuments<SocketIOProvider> | null
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
    this.#held = connectionFor(config)
    this.connection = this.#held.connection
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
    this.#ledger = new SaveLedger(this.doc, () => this.#saving.refresh())
    this.#saving = this.#saveStatus()
    this.#sync = new DocumentSync({
      doc: this.doc,
      documentName: this.name,
      serverUrl: this.url,
      clientId: () => this.awareness.clientID,
      ledger: this.#ledger,
      clock: this.#clock,
      maxBackoffMs: this.connection.maxBackoffMs,
      origin: this,
      handlers: this.#syncHandlers(),
    })
    this.#member = this.#connectionMember()
    if (!isEmptyDocument(this.doc)) this.#ledger.markUnverified()
    this.doc.on('afterTransaction', this.#handleTransaction)
    this.doc.on('update', this.#handleDocUpdate)
    this.doc.on('destroy', this.#handleDocDestroy)
    this.#compatibility = new Compatibility(this, config)
    this.#subdocuments =
      config.subdocs === 'auto' ? new Subdocuments(this.doc, (doc) => this.#follow(doc)) : null
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
    return this.#saving.state
  }

  /** When the server last confirmed a change of ours, in milliseconds since 1970. */
  get lastSavedAt(): number | null {
    return this.#saving.lastSavedAt
  }

  /** What the server lets us do; undefined until it has said so. It stays over a lost connection. */
  override get authorizedScope(): Scope | undefined {
    return this.#scope
  }

  /** The providers of the subdocuments that are loaded, by guid; empty unless `subdocs` is `auto`. */
  get subdocuments(): ReadonlyMap<string, SocketIOProvider> {
    return this.#subdocuments?.followers ?? new Map()
  }

  /** Joins again, to compare everything with what the server has. Not needed: the provider does so whenever it may matter. */
  forceSync(): void {
    this.#sync.rejoin()
  }

  /** Connects, and stays connected. Returns at once; `whenSynced` is the promise. */
  override connect(): void {
    if (this.#isDestroyed || this.shouldConnect) return
    this.shouldConnect = true
    if (this.#refusal !== null) {
      this.#refusal = null
      this.#whenSynced = deferred<this>()
    }
    this.connection.attach(this.#member)
    for (const provider of this.subdocuments.values()) provider.connect()
  }

  /** Leaves the document. Changes made from here on wait for `connect`. */
  override disconnect(): void {
    if (!this.shouldConnect) return
    this.shouldConnect = false
    for (const provider of this.subdocuments.values()) provider.disconnect()
    const wasConnected = this.connected
    this.#sync.leave()
    this.connection.detach(this.#member)
    this.#setStatus('disconnected')
    this.#compatibility.tellPhase()
    if (wasConnected)
      this.emit('connection-close', [
        { code: CLOSED_HERE, reason: 'disconnect was called', wasClean: true },
        this,
      ])
  }

  /** Disconnects for good and leaves the Y.Doc, and an Awareness that was given, as they are. */
  override destroy(): void {
    if (this.#isDestroyed) return
    this.#subdocuments?.destroy()
    this.disconnect()
    this.#isDestroyed = true
    this.#compatibility.destroy()
    this.doc.off('afterTransaction', this.#handleTransaction)
    this.doc.off('update', this.#handleDocUpdate)
    this.doc.off('destroy', this.#handleDocDestroy)
    this.#presence.destroy()
    this.#ownAwareness?.destroy()
    this.#held.release()
    this.#refusal = new ProviderError('destroyed', 'the provider was destroyed', {
      retry: 'never',
      documentName: this.name,
    })
    this.#saving.rejectWaiters(this.#refusal)
    this.#rejectWhenSynced(this.#refusal)
    this.emit('destroy', [this])
    this.#view.close()
    super.destroy()
  }

  /** Resolves when every local change so far, and made meanwhile, is durable on the server. */
  async whenSaved(options: WhenSavedOptions = {}): Promise<void> {
    this.#sync.flush()
    await this.#saving.whenSaved(options, this.#refusal)
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
    if (origin === this) {
      this.emit('update', [update, this])
      return
    }
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

  #saveStatus(): SaveStatus {
    return new SaveStatus({
      ledger: this.#ledger,
      clock: this.#clock,
      isLive: () => this.#sync.isLive,
      handlers: {
        handleCount: (number) => this.emit('unsyncedChanges', [{ number }]),
        handleState: (state, pending) =>
          this.emit('save-state', [{ state, pending, lastSavedAt: this.lastSavedAt }]),
        handleChange: () => this.#view.refresh(),
      },
    })
  }

  #syncHandlers(): DocumentSyncHandlers {
    return {
      handleSynced: (isSynced) => {
        if (isSynced) this.#error = null
        this.#handleSynced(isSynced)
      },
      handleJoined: (membership, presence) => {
        this.#saving.refresh()
        this.#handleScope(this.#sync.isReadOnly ? 'readonly' : 'read-write')
        this.#presence.handleJoined(membership, presence)
      },
      handleLeft: () => {
        this.#presence.handleLeft()
        this.#saving.refresh()
      },
      handlePresence: (update) => this.#presence.handleRemote(update),
      handleProgress: (received, total) => this.emit('progress', [{ received, total }]),
      handleSaved: () => this.#saving.handleConfirmed(),
      handleRejected: (error) => {
        this.#saving.rejectWaiters(error)
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
      flush: () => this.#sync.flush(),
      handleOpen: (channel) => this.#sync.open(channel),
      handleDown: (reason) => {
        this.#sync.handleDown()
        const event = { code: CLOSED_ABNORMALLY, reason, wasClean: false }
        this.emit('connection-close', [event, this])
        if (this.configuration.shouldReconnect?.(event, this) === false) this.disconnect()
      },
      handleFailedAttempt: (error) => {
        this.emit('connection-error', [error, this])
        if (isAccessRefusal(error)) this.#tellAccessRefused(error, false)
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

  #handleScope(scope: Scope): void {
    const previous = this.#scope
    this.#scope = scope
    this.emit('authenticated', [{ scope }])
    if (scope !== previous) this.emit('scope', [{ scope, previous }])
    this.#view.refresh()
  }

  #tellAccessRefused({ message, code }: ProviderError, permanent: boolean): void {
    this.emit('authenticationFailed', [{ reason: message, code, permanent }])
  }

  /** A subdocument is a document of its own on the same socket. Presence is its parent's. */
  #follow(document: Y.Doc): SocketIOProvider {
    const { connection, url } = this
    const name = `${this.name}/${document.guid}`
    const options = { url, connection, name, document, awareness: null, subdocs: 'auto' } as const
    return new SocketIOProvider({ ...options, connect: this.shouldConnect })
  }

  #handleEnded(error: ProviderError): void {
    this.#refusal = error
    this.shouldConnect = false
    this.connection.detach(this.#member)
    this.#setStatus('disconnected')
    this.#report(error)
    if (isAccessRefusal(error)) {
      this.#scope = undefined
      this.#tellAccessRefused(error, true)
    }
    this.emit('closed', [{ code: closeCode(error.code), reason: error.code, wasClean: true }, this])
    this.#saving.rejectWaiters(error)
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

  #report(error: ProviderError): void {
    this.#error = error
    this.emit('error', [error])
    this.#view.refresh()
  }
}
