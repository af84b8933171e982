import { FewMap } from '../few-map.ts'

export interface ClaimOwner {
  /** Another owner showed the same key: the client id is no longer this one's. */
  handleClaimLost(clientId: number): void
}

interface Credentials {
  readonly clientId: number
  readonly key: string
  /** Of several with the same key the one with the highest number is the client as it is now. */
  readonly attempt: number
}

interface Claim extends Credentials {
  readonly owner: ClaimOwner
}

/**
 * Which connection speaks for which Yjs client id of a document. The first to join with an id has it until it
 * leaves; only a connection that shows the same key may take it over. So a client that reconnects before its
 * old connection is found dead is present again at once, and nobody else can pass for it. [T25, T41, T42]
 */
export class ClientClaims {
  readonly #claims = new FewMap<number, Claim>()

  get size(): number {
    return this.#claims.size
  }

  /** Whether the id belongs to `owner` now. */
  claim({ clientId, key, attempt }: Credentials, owner: ClaimOwner): boolean {
    const claim = this.#claims.get(clientId)
    if (claim !== undefined && claim.key !== key) return false
    // An older join of the same connection takes nothing from it either.
    if (claim !== undefined && claim.attempt > attempt) return claim.owner === owner
    this.#claims.set(clientId, { clientId, key, attempt, owner })
    if (claim !== undefined && claim.owner !== owner) claim.owner.handleClaimLost(clientId)
    return true
  }

  release(clientId: number, owner: ClaimOwner): void {
    if (this.#claims.get(clientId)?.owner === owner) this.#claims.delete(clientId)
  }
}
