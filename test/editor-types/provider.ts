// Compiled, never run: the provider as the editors' own types want it, without a cast.
import type { CollaborationOptions } from '@blocknote/core/yjs'
import type { Provider as LexicalProvider } from '@lexical/yjs'
import type { UnifiedProvider } from '@platejs/yjs'
import { SocketIOProvider } from 'y-rooms/client'
import type { Readable } from 'svelte/store'
import type { IndexeddbPersistence } from 'y-indexeddb'
import type * as Y from 'yjs'

declare const provider: SocketIOProvider

export const lexical: LexicalProvider = provider
export const plate: UnifiedProvider = provider
export const blockNote: CollaborationOptions['provider'] = provider
export const svelte: Readable<ReturnType<typeof provider.getSnapshot>> = provider

// If the packages were not found, everything would be `any`, and the lines above would prove nothing.
declare const persistence: IndexeddbPersistence
// @ts-expect-error -- y-indexeddb is no Lexical provider.
export const notLexical: LexicalProvider = persistence
// @ts-expect-error -- nor one of Plate's.
export const notPlate: UnifiedProvider = persistence
// @ts-expect-error -- its awareness is none.
export const notBlockNote: CollaborationOptions['provider'] = { awareness: persistence }
// @ts-expect-error -- it has no `subscribe`.
export const notSvelte: Readable<unknown> = persistence

/** As users of y-websocket, y-socket.io, Hocuspocus and tldraw's example listen. */
export function listen(): void {
  provider.on('sync', (synced: boolean) => synced)
  provider.on('synced', ({ state }) => state)
  provider.on('synced', (isSynced: unknown) => isSynced)
  provider.on('status', ({ status }) => status === 'connected')
  provider.once('unsyncedChanges', ({ number }) => number)
  provider.on('connection-close', (event, self: SocketIOProvider) => [event.code, self])
}

/** Every form of the constructor that a migration starts from. */
export function construct(doc: Y.Doc): SocketIOProvider[] {
  return [
    new SocketIOProvider('http://localhost:1234', 'room', doc, { connect: false }),
    new SocketIOProvider('http://localhost:1234', 'room', doc, { autoConnect: false, auth: {} }),
    new SocketIOProvider({
      url: '/',
      name: 'room',
      document: doc,
      token: () => 'jwt',
      onSynced: () => undefined,
    }),
  ]
}
