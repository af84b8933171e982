import type { Handshake, User } from '../access/access.ts'
import type { Answer } from '../access/decisions.ts'
import type { Identity } from './connection-access.ts'

/** Asks the application who it is that shows this. */
export type Ask = (shown: Handshake) => Answer<User | null>

/** Who came with a handshake, which is kept to ask again with another token. */
export class HandshakeIdentity implements Identity {
  readonly user: User | null
  readonly #shown: Handshake
  readonly #ask: Ask

  constructor(user: User | null, shown: Handshake, ask: Ask) {
    this.user = user
    this.#shown = shown
    this.#ask = ask
  }

  reauthenticate(token: string): Answer<User | null> {
    const { auth, headers, address } = this.#shown
    return this.#ask({ auth: { ...auth, token }, headers, address })
  }
}
