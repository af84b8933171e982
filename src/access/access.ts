import type { DocumentName } from '../../protocol/index.ts'
import type { DocumentPatterns } from './document-patterns.ts'

/** Who is at the other end, as the application's `authenticate` said. */
export interface User {
  /** Stable; kept with every log entry as its author. */
  readonly id: string
  /**
   * Presence fields that this user cannot choose: they overwrite the fields of the same name in the
   * `user` object of everything the user announces (and at its top level where they occur there).
   */
  readonly presence?: Readonly<Record<string, unknown>>
  /**
   * When the credentials end, in milliseconds since 1970; then the user's sessions do, unless the client has sent a new
   * token. Default: never.
   */
  readonly expiresAt?: number
  /**
   * The most that this user may do, by patterns of document names: `{ "drafts/*": "write", "*": "read" }`. `authorize` can
   * give less, not more. Default: whatever `authorize` says. See docs/access.md.
   */
  readonly documents?: DocumentPatterns
}

/** The longest token that is looked at: JWTs with many claims have some kilobytes, and HTTP headers no more than 16. */
export const MAX_TOKEN_LENGTH = 16 * 1024

/** What a user may do with one document. `read` includes presence. */
export type Access = 'none' | 'read' | 'write'

export interface Handshake {
  /** The client's `auth` object: untrusted JSON. */
  readonly auth: Readonly<Record<string, unknown>>
  /** Lower-case HTTP headers of the request that opened the connection. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly address: string
}

/** Returns the user, or null to refuse. Whatever is no user with an `id` refuses too; a throw refuses this one connection. */
export type Authenticate = (handshake: Handshake) => Promise<User | null> | User | null

/**
 * Asked for every join and HTTP request, and again by `recheck` and when a token was refreshed. `user` is null when the server has
 * no `authenticate`. Any other answer gives no access, and the first one is logged as an error.
 */
export type Authorize = (user: User | null, document: DocumentName) => Promise<Access> | Access
