import { digest } from 'lib0/hash/sha256'
import { newSecret } from './client-key.ts'
import type { TokenSource } from './connection-options.ts'

interface TabScope {
  readonly serverUrl: string
  readonly documentName: string
  readonly token: TokenSource
  readonly auth: Readonly<Record<string, unknown>> | undefined
  /** The one connection of this page that asks for tokens. */
  readonly connection: object
}

/**
 * The name under which tabs find each other: one server, one document, one user. Who the user is follows from the token, of which
 * only a hash shows; from `auth`, where the token comes from a function; and nothing else tells, so that then a connection is
 * alone with itself.
 */
export function tabScopeName(scope: TabScope): string {
  return JSON.stringify(['y-rooms', scope.serverUrl, userOf(scope), scope.documentName])
}

function userOf({ token, auth, connection }: TabScope): string {
  if (token === null && auth === undefined) return 'anonymous'
  if (typeof token !== 'function') return hashOf(JSON.stringify([token, auth ?? null]))
  if (auth !== undefined) return hashOf(JSON.stringify([auth]))
  let own = unnamed.get(connection)
  if (own === undefined) unnamed.set(connection, (own = newSecret()))
  return own
}

const unnamed = new WeakMap<object, string>()

function hashOf(text: string): string {
  const bytes = digest(new TextEncoder().encode(text))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
