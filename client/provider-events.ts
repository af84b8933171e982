import type { ConnectionStatus } from './connection-options.ts'
import type { ProviderError } from './provider-error.ts'
import type { SocketIOProvider } from './provider.ts'

/**
 * Where local changes are.
 *
 * - `saved`: durable on the server, all of them.
 * - `saving`: on their way to the server.
 * - `unsaved`: only here, and there is no connection.
 * - `rejected`: the server refused one; this copy has diverged.
 */
export type SaveState = 'saved' | 'saving' | 'unsaved' | 'rejected'

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
  readonly saveState: SaveState
  readonly unsyncedChanges: number
  readonly lastSavedAt: number | null
  /** The last error since the last successful sync. */
  readonly error: ProviderError | null
}
