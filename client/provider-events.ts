import type { Awareness } from 'y-protocols/awareness'
import type * as Y from 'yjs'
import type { AccessChangeCode } from '../protocol/index.ts'
import type { ConnectionStatus } from './connection-options.ts'
import type { LocalPersistence } from './persistence/local-persistence.ts'
import type { ProviderError } from './provider-error.ts'
import type { StatesEntry } from './presence-events.ts'
import type { SocketIOProvider } from './provider.ts'

/**
 * Where local changes are.
 *
 * - `saved`: durable on the server, all of them.
 * - `saving`: on their way to the server.
 * - `saved-locally`: not all on the server, and there is no connection; but committed on this device.
 * - `unsaved`: only in this page, and there is no connection.
 * - `rejected`: the server refused one; this copy has diverged.
 */
export type SaveState = 'saved' | 'saving' | 'saved-locally' | 'unsaved' | 'rejected'

/** What the server lets this connection do with the document, in Hocuspocus' words. */
export type Scope = 'read-write' | 'readonly'

/** An Awareness as the editors' own types describe it: states are whatever they put there. */
export type EditorAwareness = Awareness & {
  // oxlint-disable-next-line typescript/no-explicit-any -- Lexical's type; `unknown` would not be assignable to it.
  getLocalState(): any
  // oxlint-disable-next-line typescript/no-explicit-any -- as above.
  getStates(): Map<number, any>
}

/** The connection as y-sweet's users know it. `handshaking`: connected, and not in sync yet. */
export type ConnectionPhase = 'offline' | 'connecting' | 'error' | 'handshaking' | 'connected'

/** How a connection or a membership ended, in the shape of a browser's CloseEvent. */
export interface CloseDescription {
  /** 1000: closed here; 1006: lost; 4400 to 4499: refused by the server, as listed in `close-code.ts`. */
  readonly code: number
  readonly reason: string
  readonly wasClean: boolean
}

/** The names that y-websocket, Hocuspocus and y-socket.io use, with payloads that suit all their listeners. */
export type ProviderEvents = {
  status: (event: { status: ConnectionStatus; connected: boolean }) => void
  /** Both edges: true once the server's state is applied, false when the server is lost. */
  sync: (synced: boolean) => void
  /** Once per edge to true. */
  synced: (event: { state: true }) => void
  /** What was stored on this device is in the document. */
  'local-synced': (event: { persistence: LocalPersistence }) => void
  'connection-close': (event: CloseDescription, provider: SocketIOProvider) => void
  'connection-error': (error: ProviderError, provider: SocketIOProvider) => void
  /** The server refuses for good. Nothing is tried until somebody calls `connect`. */
  closed: (event: CloseDescription, provider: SocketIOProvider) => void
  unsyncedChanges: (event: { number: number }) => void
  'save-state': (event: { state: SaveState; pending: number; lastSavedAt: number | null }) => void
  /** The server took none of this update and never will; it stays in this copy and in `pendingUpdate()`. */
  rejected: (event: { update: Uint8Array; error: ProviderError }) => void
  /**
   * Bytes of a large document as they arrive, before `sync`. `received` never falls until then, over however many connections
   * they come; `total` grows when the server has folded the document anew and what came so far is of no use.
   */
  progress: (event: { received: number; total: number }) => void
  /** A connection stands; `open` is the same moment. */
  connect: () => void
  open: (event: { event: Event | null }) => void
  /** The connection is gone, or the server has refused for good; `close` is the same moment. */
  disconnect: (event: { event: CloseDescription }) => void
  close: (event: { event: CloseDescription }) => void
  'connection-status': (phase: ConnectionPhase) => void
  /** The server has let us into the document; again after every reconnection. */
  authenticated: (event: { scope: Scope }) => void
  /** Who we are, or may do, was refused. `permanent`: nothing is tried until somebody calls `connect`. */
  authenticationFailed: (event: { reason: string; code: string; permanent: boolean }) => void
  /** What we may do is known for the first time, or has changed; with the server's reason if that was while we were in the document. */
  scope: (event: {
    scope: Scope
    previous: Scope | undefined
    reason?: AccessChangeCode | undefined
  }) => void
  /** There are changes without a durable acknowledgement, or there are none any more. */
  'local-changes': (hasLocalChanges: boolean) => void
  /** Somebody announced a presence state, changed or not. */
  awarenessUpdate: (event: { states: StatesEntry[] }) => void
  /** Somebody's presence state has changed. */
  awarenessChange: (event: { states: StatesEntry[] }) => void
  /** Changes of others, as one Yjs update, after they were applied. The origin is the provider. */
  update: (update: Uint8Array, origin: unknown) => void
  /**
   * The document has begun a new history on the server, and this Y.Doc belongs to the old one. The new Y.Doc is to be shown in its
   * place.
   */
  reload: (doc: Y.Doc) => void
  /**
   * Bytes of a large local change that are on the server; durable only with `saved`. `sent` never falls for one change, over however
   * many connections it goes.
   */
  'upload-progress': (event: { sent: number; total: number }) => void
  error: (error: ProviderError) => void
  destroy: (provider: SocketIOProvider) => void
}

/** What a view shows of a provider. A new object whenever something in it changes. */
export interface ProviderState {
  readonly status: ConnectionStatus
  readonly synced: boolean
  readonly localSynced: boolean
  readonly saveState: SaveState
  readonly unsyncedChanges: number
  readonly lastSavedAt: number | null
  /** Undefined until the server has let us in. */
  readonly scope: Scope | undefined
  readonly readOnly: boolean
  /** The last error since the last successful sync. */
  readonly error: ProviderError | null
}
