import type { ClientToServerEvents } from '../../protocol/index.ts'
import type { Connection } from './connection.ts'

/**
 * What an event needs before its handler is called.
 *
 * - `admission`: the connection was let in; the handler decides the rest (`join` asks `authorize`).
 * - `read`, `write`: the connection has the document of the first argument open with this access.
 */
type NeededAccess = 'admission' | 'read' | 'write'

interface ClientEventRule {
  readonly needs: NeededAccess
  handle(connection: Connection, args: readonly unknown[]): unknown
}

/** What a client may ask or say, and what it needs for it; nothing else is listened to. [T50] */
export const CLIENT_EVENTS = {
  join: {
    needs: 'admission',
    handle: (connection, [request]) => connection.handleJoin(request),
  },
  token: {
    needs: 'admission',
    handle: (connection, [token]) => connection.handleToken(token),
  },
  update: {
    needs: 'write',
    handle: (connection, [document, update]) => connection.handleUpdate(document, update),
  },
  chunk: {
    needs: 'write',
    handle: (connection, [document, chunk, bytes]) =>
      connection.handleChunk(document, chunk, bytes),
  },
  // Viewers are seen: what they announce is their own.
  awareness: {
    needs: 'read',
    handle: (connection, [document, update]) => connection.handleAwareness(document, update),
  },
  pull: {
    needs: 'read',
    handle: (connection, [document, request]) => connection.handlePull(document, request),
  },
  check: {
    needs: 'read',
    handle: (connection, [document, request]) => connection.handleCheck(document, request),
  },
  leave: {
    needs: 'read',
    handle: (connection, [document, clientId]) => connection.handleLeave(document, clientId),
  },
} as const satisfies Record<keyof ClientToServerEvents, ClientEventRule>

export type ClientEvent = keyof typeof CLIENT_EVENTS

/** Checks what the event needs, then answers it or throws a `DocumentError`. */
export function handleEvent(
  connection: Connection,
  event: ClientEvent,
  args: readonly unknown[],
): unknown {
  const { needs, handle } = CLIENT_EVENTS[event]
  if (needs !== 'admission') connection.assertAccess(args[0], needs)
  return handle(connection, args)
}
