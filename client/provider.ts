import type * as Y from 'yjs'
import type { AccessChangeCode } from '../protocol/index.ts'
import { CLOSED_ABNORMALLY, CLOSED_HERE, closeCode } from './close-code.ts'
import type { Clock } from './clock.ts'
import { Compatibility } from './compatibility.ts'
import { connectionFor, type HeldConnection } from './connection-registry.ts'
import type { ConnectionMember, ConnectionStatus, TokenSource } from './connection-options.ts'
import type { SocketIOConnection } from './connection.ts'
import { DocumentChanges } from './document-changes.ts'
import type { DocumentSyncHandlers } from './document-sync-options.ts'
import { DocumentSync } from './document-sync.ts'
import { LocalCopy } from './local-copy.ts'
import { createOwnAwareness, type OwnAwareness } from './own-awareness.ts'
import type { LocalPersistence } from './persistence/local-persistence.ts'
import { Presence } from './presence.ts'
import { ProviderError } from './provider-error.ts'
import { isAccessRefusal } from './access-refusal.ts'
import type { EditorAwareness, ProviderState, SaveState, Scope } from './provider-events.ts'
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
import { SaveStatus } from './save-status.ts'
import type { WhenSavedOptions } from './save-waiters.ts'
import type { SocketIOOptions } from './socket-io-wire.ts'
import { Readiness } from './readiness.ts'
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
  readonly #local: LocalCopy
  readonly #sync: DocumentSync
  readonly #member: ConnectionMember
  readonly #changes: DocumentChanges
  readonly #saving: SaveStatus
  readonly #view = new StateView<ProviderState>(() => {
    const { status, synced, localSynced, saveState, unsyncedChanges, lastSavedAt } = this
    const { readOnly, authorizedScope: scope } = this
    const error = this.#error
    const saving = { saveState, unsyncedChanges, lastSavedAt }
    return { status, synced, localSynced, ...saving, scope, readOnly, error }
  })
  readonly #ready = new Readiness(this)
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
    this.#local = this.#localCopy(config)
    this.#saving = this.#saveStatus()
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
    if (!isEmptyDocument(this.doc) && !this.#local.isTracked) this.#ledger.markUnverified()
    this.#changes = this.#documentChanges()
    this.#compatibility = new Compatibility(this, config)
    this.#subdocuments =
      config.subdocs === 'auto' ? new Subdocuments(this.doc, (doc) => this.#follow(doc)) : null
    this.#local.start()
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
    return this.#ready.whenSynced
  }

  /** How many local changes have no durable acknowledgement. Content from before the provider counts as one. */
  override get unsyncedChanges(): number {
    return this.#ledger.unsyncedChanges
  }

  get saveState(): SaveState {
    return this.#saving.state
  }

  /** Keeps the document on this device, or null. */
  get persistence(): LocalPersistence | null {
    return this.#local.persistence
  }

  /** Everything that was stored on this device is in the document. */
  get localSynced(): boolean {
    return this.#local.isLoaded
  }

  /** Resolves when what is stored is in the document, at once without a persistence; rejects if it cannot be read. */
  get whenLocalSynced(): Promise<this> {
    return this.#local.whenLoaded.then(() => this)
  }

  /** Resolves when there is something to show: from this device or from the server, whichever is first. */
  get whenLoaded(): Promise<this> {
    return this.#ready.whenLoaded
  }

  /** Deletes what is stored of the document on this device; nothing is stored from then on. The document stays open. */
  async clearLocalData(): Promise<void> {
    await this.#local.clear()
    this.#saving.refresh()
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
    this.#refusal = null
    this.#ready.restart()
    this.connection.attach(this.#member)
    for (const provider of this.subdocuments.values()) provider.connect()
  }

  /** Leaves the document. Changes made from here on wait for `connect`. */
  override disconnect(): void {
    if (!this.shouldConnect) return
    this.shouldConnect = false
    for (const provider of this.subdocuments.values()) provider.disconnect()
    const wasConnected = this.connected
    this.#local.forgetJoin()
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
    this.#changes.stop()
    this.#local.destroy()
    this.#presence.destroy()
    this.#ownAwareness?.destroy()
    this.#held.release()
    this.#refusal = new ProviderError('destroyed', 'the provider was destroyed', {
      retry: 'never',
      documentName: this.name,
    })
    this.#saving.rejectWaiters(this.#refusal)
    this.#ready.end(this.#refusal)
    this.emit('destroy', [this])
    this.#view.close()
    super.destroy()
  }

  /**
   * Shows the server another token from here on, on the connection that this provider shares with others of the same URL and token.
   * Resolves when the server has taken it; rejects with a `ProviderError` when it refuses, and the token before holds as long as
   * it would have. See `SocketIOConnection.setToken`.
   */
  setToken(token: TokenSource): Promise<void> {
    return this.connection.setToken(token)
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

  #documentChanges(): DocumentChanges {
    return new DocumentChanges({
      doc: this.doc,
      origin: this,
      isReadOnly: () => this.#sync.isReadOnly,
      isLive: () => this.#sync.isLive,
      isTaken: (origin) => this.#local.takesChange(origin),
      handlers: {
        handleRemote: (update) => this.emit('update', [update, this]),
        handleLocal: (update) => {
          this.#ledger.add(update)
          this.#sync.handleLocalChange()
        },
        handleUnverified: () => this.#ledger.markUnverified(),
        handleDestroy: () => this.destroy(),
      },
    })
  }

  #saveStatus(): SaveStatus {
    return new SaveStatus({
      ledger: this.#ledger,
      clock: this.#clock,
      isLive: () => this.#sync.isLive,
      isStored: () => this.#local.isStored,
      handlers: {
        handleCount: (number) => this.emit('unsyncedChanges', [{ number }]),
        handleState: (state, pending) =>
          this.emit('save-state', [{ state, pending, lastSavedAt: this.lastSavedAt }]),
        handleChange: () => {
          // A reader's zero only says that it sends nothing.
          if (this.unsyncedChanges === 0 && this.#sync.isLive && !this.#sync.isReadOnly)
            this.#local.handleSaved()
          this.#view.refresh()
        },
      },
    })
  }

  #syncHandlers(): DocumentSyncHandlers {
    return {
      handleSynced: (isSynced) => {
        if (isSynced) this.#error = this.#ledger.rejection
        this.#handleSynced(isSynced)
      },
      handleEpoch: (epoch) => this.#local.handleEpoch(epoch),
      handleJoined: (membership, presence) => {
        this.#saving.refresh()
        this.#handleScope(this.#sync.isReadOnly ? 'readonly' : 'read-write')
        this.#presence.handleJoined(membership, presence)
      },
      handleLeft: () => {
        this.#presence.handleLeft()
        this.#saving.refresh()
      },
      handleAccess: ({ access, code }) =>
        this.#setScope(access === 'read' ? 'readonly' : 'read-write', code),
      handlePresence: (update) => this.#presence.handleRemote(update),
      handleProgress: (received, total) => this.emit('progress', [{ received, total }]),
      handleUploadProgress: (sent, total) => this.emit('upload-progress', [{ sent, total }]),
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

  #localCopy(config: ResolvedConfig): LocalCopy {
    return new LocalCopy({
      source: config.persistence,
      waitMs: config.waitForPersistence,
      doc: this.doc,
      documentName: this.name,
      serverUrl: this.url,
      ledger: this.#ledger,
      clock: this.#clock,
      isConfirmed: (origin, transaction) => this.#changes.isConfirmed(origin, transaction),
      handlers: {
        handleLoaded: () => {
          this.#handleContent()
          const { persistence } = this
          if (persistence !== null) this.emit('local-synced', [{ persistence }])
        },
        handleStored: () => this.#saving.refresh(),
        handleLate: () => this.#sync.rejoin(),
        handleError: (error) => this.#report(error),
      },
    })
  }

  #connectionMember(): ConnectionMember {
    return {
      handleStatus: (status) => this.#setStatus(status),
      flush: () => this.#sync.flush(),
      handleOpen: (channel) => this.#local.whenReadyToJoin(() => this.#sync.open(channel)),
      handleDown: (reason) => {
        this.#local.forgetJoin()
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
    if (isSynced) this.#handleContent()
    this.#ready.handleSynced(isSynced)
    this.doc.emit('sync', [isSynced, this.doc])
    this.emit('sync', [isSynced])
    if (isSynced) this.emit('synced', [{ state: true }])
    this.#view.refresh()
  }

  #handleScope(scope: Scope): void {
    const previous = this.#scope
    this.#scope = scope
    this.emit('authenticated', [{ scope }])
    this.#tellScope(scope, previous)
  }

  /** The scope changed while we are in the document. */
  #setScope(scope: Scope, reason: AccessChangeCode): void {
    const previous = this.#scope
    this.#scope = scope
    this.#tellScope(scope, previous, reason)
  }

  #tellScope(scope: Scope, previous: Scope | undefined, reason?: AccessChangeCode): void {
    if (scope !== previous)
      this.emit('scope', [{ scope, previous, ...(reason === undefined ? {} : { reason }) }])
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

  /** There is something to show. */
  #handleContent(): void {
    this.#ready.handleLoaded()
    if (!this.doc.isLoaded) this.doc.emit('load', [this.doc])
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
    this.#ready.end(error)
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
