import type * as Y from 'yjs'
import type { ConnectionStatus } from './connection-options.ts'
import { Observable } from './observable.ts'
import type { EditorAwareness, ProviderEvents, Scope } from './provider-events.ts'

/**
 * The names under which the users of y-websocket, y-socket.io and Hocuspocus look for the same
 * things, so that changing the provider is changing an import.
 */
export abstract class NamedProvider extends Observable<ProviderEvents> {
  abstract readonly url: string
  abstract get doc(): Y.Doc
  abstract readonly name: string
  abstract get status(): ConnectionStatus
  abstract get synced(): boolean
  abstract get unsyncedChanges(): number
  abstract get authorizedScope(): Scope | undefined
  abstract readonly awareness: EditorAwareness
  abstract readonly shouldConnect: boolean
  abstract connect(): void
  abstract disconnect(): void

  get serverUrl(): string {
    return this.url
  }

  get document(): Y.Doc {
    return this.doc
  }

  get documentName(): string {
    return this.name
  }

  get roomname(): string {
    return this.name
  }

  get roomName(): string {
    return this.name
  }

  get connected(): boolean {
    return this.status === 'connected'
  }

  get isConnected(): boolean {
    return this.connected
  }

  get wsconnected(): boolean {
    return this.connected
  }

  get wsconnecting(): boolean {
    return this.status === 'connecting'
  }

  /** It is to be connected, and is not. */
  get isConnectionPending(): boolean {
    return this.shouldConnect && !this.connected
  }

  /** It is to be in sync, and is not. */
  get isSyncPending(): boolean {
    return this.shouldConnect && !this.synced
  }

  /** The server has let us into the document. */
  get isAuthenticated(): boolean {
    return this.authorizedScope !== undefined
  }

  /** The server takes no edits of ours. False as long as nobody has said so. */
  get readOnly(): boolean {
    return this.authorizedScope === 'readonly'
  }

  get isSynced(): boolean {
    return this.synced
  }

  get hasUnsyncedChanges(): boolean {
    return this.unsyncedChanges > 0
  }

  get hasLocalChanges(): boolean {
    return this.hasUnsyncedChanges
  }

  /** Hocuspocus' name of `connect`. */
  attach(): void {
    this.connect()
  }

  /** Hocuspocus' name of `disconnect`. */
  detach(): void {
    this.disconnect()
  }

  /** Sets one field of the local presence state; does nothing while that is null. */
  setAwarenessField(field: string, value: unknown): void {
    this.awareness.setLocalStateField(field, value)
  }
}
