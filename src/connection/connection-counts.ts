import { DocumentError } from '../errors.ts'

export interface ConnectionCountLimits {
  readonly maxConnectionsPerAddress: number
  readonly maxConnectionsPerUser: number
}

/** Whose connection it is, as far as it counts. */
export interface Place {
  readonly address: string
  readonly userId: string | null
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
  assertRoom({ address, userId }: Place): void {
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

  /** A connection is open, until its place is removed. */
  add(place: Place): void {
    this.#count(place, 1)
  }

  remove(place: Place): void {
    this.#count(place, -1)
  }

  #count({ address, userId }: Place, by: number): void {
    change(this.#byAddress, address, by)
    if (userId !== null) change(this.#byUser, userId, by)
  }
}

function change(counts: Map<string, number>, key: string, by: number): void {
  const count = (counts.get(key) ?? 0) + by
  if (count > 0) counts.set(key, count)
  else counts.delete(key)
}
