import { DocumentError } from '../errors.ts'

export interface ConnectionCountLimits {
  readonly maxConnectionsPerAddress: number
  readonly maxConnectionsPerUser: number
}

/** How many connections are open of each address and of each user. */
export class ConnectionCounts {
  readonly #limits: ConnectionCountLimits
  readonly #byAddress = new Map<string, number>()
  readonly #byUser = new Map<string, number>()

  constructor(limits: ConnectionCountLimits) {
    this.#limits = limits
  }

  /** Throws `too-many-connections` when one more would be too many. */
  assertRoom(address: string, userId: string | null): void {
    const { maxConnectionsPerAddress, maxConnectionsPerUser } = this.#limits
    if ((this.#byAddress.get(address) ?? 0) >= maxConnectionsPerAddress)
      throw new DocumentError('too-many-connections', 'too many connections from this address', {
        limit: 'maxConnectionsPerAddress',
      })
    if (userId !== null && (this.#byUser.get(userId) ?? 0) >= maxConnectionsPerUser)
      throw new DocumentError('too-many-connections', 'too many connections of this user', {
        limit: 'maxConnectionsPerUser',
      })
  }

  /** A connection is open, until what is returned is called. To call it twice does nothing. */
  add(address: string, userId: string | null): () => void {
    let isOpen = true
    change(this.#byAddress, address, 1)
    if (userId !== null) change(this.#byUser, userId, 1)
    return () => {
      if (!isOpen) return
      isOpen = false
      change(this.#byAddress, address, -1)
      if (userId !== null) change(this.#byUser, userId, -1)
    }
  }
}

function change(counts: Map<string, number>, key: string, by: number): void {
  const count = (counts.get(key) ?? 0) + by
  if (count > 0) counts.set(key, count)
  else counts.delete(key)
}
