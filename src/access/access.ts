import type { DocumentName } from '../../protocol/index.ts'

/** Who is at the other end, as the application's `authenticate` said. */
export interface User {
  /** Stable; kept with every log entry as its author. */
  readonly id: string
  /**
   * Presence fields that this user cannot choose: they overwrite the fields of the same name in the
   * `user` object of everything the user announces (and at its top level where they occur there).
   */
  readonly presence?: Readonly<Record<string, unknown>>
}

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
 * Asked once for every join. `user` is null when the server has no `authenticate`. Any other answer gives no access, and the
 * first one is logged as an error.
 */
export type Authorize = (user: User | null, document: DocumentName) => Promise<Access> | Access
