import { ObservableV2 } from 'lib0/observable'
import type * as Y from 'yjs'
import type { ConnectionStatus } from './connection-options.ts'
import type { ProviderEvents } from './provider-events.ts'

/**
 * The names under which the users of y-websocket, y-socket.io and Hocuspocus look for the same
 * things, so that changing the provider is changing an import.
 */
export abstract class NamedProvider extends ObservableV2<ProviderEvents> {
  abstract readonly url: string
  abstract readonly doc: Y.Doc
  abstract readonly name: string
  abstract get status(): ConnectionStatus
  abstract get synced(): boolean
  abstract get unsyncedChanges(): number

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

  get isSynced(): boolean {
    return this.synced
  }

  get hasUnsyncedChanges(): boolean {
    return this.unsyncedChanges > 0
  }

  get hasLocalChanges(): boolean {
    return this.hasUnsyncedChanges
  }
}
