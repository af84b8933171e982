import * as Y from 'yjs'
import { CLOSED_ABNORMALLY, CLOSED_HERE, closeCode } from './close-code.ts'
import type { Clock } from './clock.ts'
import { bindDocument, type BoundDocument } from './bound-document.ts'
import { Compatibility } from './compatibility.ts'
import { connectionFor, type HeldConnection } from './connection-registry.ts'
import type { ConnectionMember, ConnectionStatus, TokenSource } from './connection-options.ts'
import type { SocketIOConnection } from './connection.ts'
import type { DocumentSyncHandlers } from './document-sync-options.ts'
import type { PersistenceSource } from './local-copy.ts'
import { createOwnAwareness, moveLocalState, type OwnAwareness } from './own-awareness.ts'
import type { LocalPersistence } from './persistence/local-persistence.ts'
import { Presence } from './presence.ts'
import { ProviderError } from './provider-error.ts'
import { AccessScope } from './access-scope.ts'
import type { EditorAwareness, ProviderState, SaveState, Scope } from './provider-events.ts'
import { callListener } from './observable.ts'
import { NamedProvider } from './provider-names.ts'
import {
  resolveConfig,
  type ProviderArguments,
  type ProviderConfig,
  type ProviderOptions,
  type ResolvedConfig,
} from './provider-options.ts'
import type { WhenSavedOptions } from './save-waiters.ts'
import type { SocketIOOptions } from './socket-io-wire.ts'
import { Readiness } from './readiness.ts'
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
  readonly #member: ConnectionMember
  #bound: BoundDocument
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
  readonly #scope = new AccessScope({
    handleAdmitted: (scope) => this.emit('authenticated', [{ scope }]),
    handleScope: (event) => {
      this.#bound.tabs.refresh()
      this.emit('scope', [event])
      this.#view.refresh()
    },
    handleRefused: (event) => this.emit('authenticationFailed', [event]),
  })
  readonly #compatibility: Compatibility
  #isDestroyed = false
  /** Between two histories: nothing is joined. */
  #isReloading = false

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
    this.name = config.name
    this.#held = connectionFor(config)
    this.connection = this.#held.connection
    this.#clock = this.connection.clock
    this.#ownAwareness = config.awareness ? null : createOwnAwareness(config.document)
    this.awareness = config.awareness ?? (this.#ownAwareness as OwnAwareness).awareness
    if (config.awareness === null) this.awareness.setLocalState(null)
    this.#presence = new Presence({
      awareness: this.awareness,
      clock: this.#clock,
      origin: this,
      isTab: (clientId) => this.#bound.tabs.hasClient(clientId),
      handleError: (error) => this.#report(error),
    })
    this.#member = this.#connectionMember()
    this.#bound = this.#bind(config.document, config.persistence)
    this.#compatibility = new Compatibility(this, config)
    this.#start()
    if (config.connect ?? config.autoConnect ?? true) this.connect()
  }

  /** The document; another one after `reload`. */
  override get doc(): Y.Doc {
    return this.#bound.doc
  }

  override get status(): ConnectionStatus {
    return this.#status
  }

  /** Everything that the server had when we joined is applied, and we are still in the document. */
  override get synced(): boolean {
    return this.#bound.sync.isSynced
  }

  /** Resolves when in sync, at once if it is; rejects when the server refuses for good. */
  get whenSynced(): Promise<this> {
    return this.#ready.whenSynced
  }

  /** How many local changes have no durable acknowledgement. Content from before the provider counts as one. */
  override get unsyncedChanges(): number {
    return this.#bound.ledger.unsyncedChanges
  }

  get saveState(): SaveState {
    return this.#bound.saving.state
  }

  /** Keeps the document on this device, or null. */
  get persistence(): LocalPersistence | null {
    return this.#bound.local.persistence
  }

  /** Everything that was stored on this device is in the document. */
  get localSynced(): boolean {
    return this.#bound.local.isLoaded
  }

  /** Resolves when what is stored is in the document, at once without a persistence; rejects if it cannot be read. */
  get whenLocalSynced(): Promise<this> {
    return this.#bound.local.whenLoaded.then(() => this)
  }

  /**
   * Resolves when there is something to show: from this device or from the server, whichever is first. Rejects when neither will come:
   * the provider was destroyed, or the server refused for good and nothing on this device can be read.
   */
  get whenLoaded(): Promise<this> {
    return this.#ready.whenLoaded
  }

  /** Deletes what is stored of the document on this device; nothing is stored from then on. The document stays open. */
  async clearLocalData(): Promise<void> {
    await this.#bound.local.clear()
    this.#bound.saving.refresh()
  }

  /** When the server last confirmed a change of ours, in milliseconds since 1970. */
  get lastSavedAt(): number | null {
    return this.#bound.saving.lastSavedAt
  }

  /** What the server lets us do; undefined until it has said so. It stays over a lost connection. */
  override get authorizedScope(): Scope | undefined {
    return this.#scope.current
  }

  /** The providers of the subdocuments that are loaded, by guid; empty unless `subdocs` is `auto`. */
  get subdocuments(): ReadonlyMap<string, SocketIOProvider> {
    return this.#bound.subdocuments?.followers ?? new Map()
  }

  /** Joins again, to compare everything with what the server has. Not needed: the provider does so whenever it may matter. */
  forceSync(): void {
    this.#bound.sync.rejoin()
  }

  /** Connects, and stays connected. Returns at once; `whenSynced` is the promise. */
  override connect(): void {
    if (this.#isDestroyed || this.shouldConnect) return
    this.shouldConnect = true
    this.#refusal = null
    this.#ready.restart()
    this.#attach()
    for (const provider of this.subdocuments.values()) provider.connect()
  }

  /** Leaves the document. Changes made from here on wait for `connect`. */
  override disconnect(): void {
    if (!this.shouldConnect) return
    this.shouldConnect = false
    for (const provider of this.subdocuments.values()) provider.disconnect()
    const wasConnected = this.connected
    this.#bound.local.forgetJoin()
    this.#bound.sync.leave()
    this.disconnectBc()
    this.connection.detach(this.#member)
    this.#setStatus('disconnected')
    this.#compatibility.tellPhase()
    if (wasConnected)
      this.emit('connection-close', [
        { code: CLOSED_HERE, reason: 'disconnect was called', wasClean: true },
        this,
      ])
    // A listener may have wanted it back while we were still leaving.
    if (this.shouldConnect) this.#attach()
  }

  /** Edits and presence are exchanged with other tabs of this browser. */
  get bcconnected(): boolean {
    return this.#bound.tabs.isOpen
  }

  /** Begins to exchange edits and presence with other tabs, unless `disableBc` says not to. `connect` does it too. */
  connectBc(): void {
    if (!this.#isDestroyed && this.configuration.disableBc !== true) this.#bound.tabs.open()
  }

  /** Ends the exchange with other tabs. `disconnect` does it too. */
  disconnectBc(): void {
    this.#bound.tabs.close()
  }

  /** Disconnects for good and leaves the Y.Doc, and an Awareness that was given, as they are. */
  override destroy(): void {
    if (this.#isDestroyed) return
    // First, so that no listener brings it back.
    this.#isDestroyed = true
    this.#bound.subdocuments?.destroy()
    this.disconnect()
    this.disconnectBc()
    this.#compatibility.destroy()
    this.#bound.changes.stop()
    this.#bound.local.destroy()
    this.#presence.destroy()
    this.#ownAwareness?.destroy()
    this.#held.release()
    this.#refusal = new ProviderError('destroyed', 'the provider was destroyed', {
      retry: 'never',
      documentName: this.name,
    })
    this.#bound.saving.rejectWaiters(this.#refusal)
    this.#endReadiness(this.#refusal)
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
    this.#bound.sync.flush()
    await this.#bound.saving.whenSaved(options, this.#refusal)
  }

  /** All changes without a durable acknowledgement as one Yjs update, or null: "download my changes". */
  pendingUpdate(): Uint8Array | null {
    return this.#bound.ledger.pendingUpdate()
  }

  /** Calls with the present state and whenever it changes (Svelte's contract). Returns what stops it. */
  readonly subscribe = (run: (state: ProviderState) => void): (() => void) =>
    this.#view.subscribe(run)

  /** The present state; the same object as long as nothing changed (React's contract). */
  readonly getSnapshot = (): ProviderState => this.#view.current()

  #bind(doc: Y.Doc, source: PersistenceSource | undefined): BoundDocument {
    return bindDocument(doc, source, this, {
      clientId: () => this.awareness.clientID,
      isOfServer: (clientId) => this.#presence.isRemote(clientId),
      bound: () => this.#bound,
      follow: (subdocument) => this.#follow(subdocument),
      sync: this.#syncHandlers(),
      changes: {
        handleRemote: (update) => this.emit('update', [update, this]),
        handleLocal: (update) => {
          this.#bound.ledger.add(update)
          this.#bound.sync.handleLocalChange()
        },
        handleUnverified: () => this.#bound.ledger.markUnverified(),
        handleDestroy: () => this.destroy(),
      },
      saving: {
        handleCount: (number) => this.emit('unsyncedChanges', [{ number }]),
        handleState: (state, pending) =>
          this.emit('save-state', [{ state, pending, lastSavedAt: this.lastSavedAt }]),
        handleChange: () => this.#view.refresh(),
      },
      local: {
        handleLoaded: () => {
          this.#handleContent()
          const { persistence } = this
          if (persistence !== null) this.emit('local-synced', [{ persistence }])
        },
        handleError: (error) => this.#report(error),
      },
    })
  }

  /** What is in the document already, or on this device, is taken into account. */
  #start(): void {
    const { doc, ledger, local } = this.#bound
    if (!isEmptyDocument(doc) && !local.isTracked) ledger.markUnverified()
    local.start()
  }

  #syncHandlers(): DocumentSyncHandlers {
    return {
      handleSynced: (isSynced) => {
        if (isSynced) this.#error = this.#bound.ledger.rejection
        this.#handleSynced(isSynced)
      },
      handleEpoch: (epoch) => this.#bound.local.handleEpoch(epoch),
      handleJoined: (membership, presence) => {
        this.#bound.saving.refresh()
        this.#scope.handleJoined(this.#bound.sync.isReadOnly ? 'readonly' : 'read-write')
        this.#presence.handleJoined(membership, presence)
      },
      handleLeft: () => {
        this.#presence.handleLeft()
        this.#bound.saving.refresh()
      },
      handleAccess: ({ access, code }) =>
        this.#scope.handleChanged(access === 'read' ? 'readonly' : 'read-write', code),
      handlePresence: (update) => this.#presence.handleRemote(update),
      handleProgress: (received, total) => this.emit('progress', [{ received, total }]),
      handleUploadProgress: (sent, total) => this.emit('upload-progress', [{ sent, total }]),
      handleSaved: () => this.#bound.saving.handleConfirmed(),
      handleRejected: (error) => {
        this.#bound.saving.rejectWaiters(error)
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
      flush: () => this.#bound.sync.flush(),
      handleOpen: (channel) =>
        this.#bound.local.whenReadyToJoin(() => this.#bound.sync.open(channel)),
      handleDown: (reason) => {
        this.#bound.local.forgetJoin()
        this.#bound.sync.handleDown()
        const event = { code: CLOSED_ABNORMALLY, reason, wasClean: false }
        this.emit('connection-close', [event, this])
        callListener(() => {
          if (this.configuration.shouldReconnect?.(event, this) === false) this.disconnect()
        })
      },
      handleFailedAttempt: (error) => {
        this.emit('connection-error', [error, this])
        this.#scope.handleRefused(error, false)
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
    callListener(() => this.doc.emit('sync', [isSynced, this.doc]))
    this.emit('sync', [isSynced])
    if (isSynced) this.emit('synced', [{ state: true }])
    this.#view.refresh()
  }

  /** A subdocument is a document of its own on the same socket. Presence is its parent's. */
  #follow(document: Y.Doc): SocketIOProvider {
    const { connection, url } = this
    const name = `${this.name}/${document.guid}`
    const options = { url, connection, name, document, awareness: null, subdocs: 'auto' } as const
    const { auth, disableBc, tabs } = this.configuration
    const same = { auth, disableBc, tabs }
    return new SocketIOProvider({ ...options, ...same, connect: this.shouldConnect })
  }

  /** There is something to show. */
  #handleContent(): void {
    this.#ready.handleLoaded()
    if (!this.doc.isLoaded) callListener(() => this.doc.emit('load', [this.doc]))
  }

  /**
   * The document has begun a new history on the server: goes on with a new Y.Doc, and gives what of the old one was never saved
   * to whoever wants it.
   */
  async #reload(error: ProviderError): Promise<void> {
    const { doc: document, local, changes, subdocuments, saving, tabs } = this.#bound
    this.#isReloading = true
    this.connection.detach(this.#member)
    this.#setStatus('disconnected')
    this.#report(error)
    const { isOpen: hadTabs } = tabs
    tabs.close()
    subdocuments?.destroy()
    const source = await local.setAside()
    saving.rejectWaiters(error)
    this.#isReloading = false
    if (this.#isDestroyed) return
    // Only now: what was typed meanwhile belongs to it.
    const update = this.pendingUpdate()
    changes.stop()
    const doc = new Y.Doc({ guid: document.guid, gc: document.gc, meta: document.meta as unknown })
    this.#ownAwareness?.moveTo(doc)
    moveLocalState(this.awareness, doc)
    this.#bound = this.#bind(doc, source)
    this.#start()
    if (hadTabs) this.#bound.tabs.openOnceJoined()
    this.emit('document-reset', [{ document, update }])
    this.emit('reload', [doc])
    this.#bound.saving.refresh()
    // A listener may have ended it.
    if (this.shouldConnect) this.connection.attach(this.#member)
  }

  #attach(): void {
    if (this.#isReloading) return
    this.connectBc()
    this.connection.attach(this.#member)
  }

  #handleEnded(error: ProviderError): void {
    if (error.code === 'document-reset' && this._observers.has('reload')) {
      void this.#reload(error)
      return
    }
    this.#refusal = error
    this.shouldConnect = false
    // Before anybody hears of it: a listener may connect again.
    this.#bound.saving.rejectWaiters(error)
    this.#endReadiness(error)
    this.disconnectBc()
    this.connection.detach(this.#member)
    this.#setStatus('disconnected')
    this.#report(error)
    this.#scope.handleRefused(error, true)
    this.emit('closed', [{ code: closeCode(error.code), reason: error.code, wasClean: true }, this])
  }

  #endReadiness(error: ProviderError): void {
    this.#ready.end(error)
    const { persistence, whenLoaded } = this.#bound.local
    // What is on this device may still be read.
    if (persistence === null) this.#ready.endLoading(error)
    else
      whenLoaded.catch(() => {
        if (this.#refusal === error) this.#ready.endLoading(error)
      })
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
