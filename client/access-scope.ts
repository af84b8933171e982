import type { AccessChangeCode } from '../protocol/index.ts'
import { isAccessRefusal } from './access-refusal.ts'
import type { ProviderError } from './provider-error.ts'
import type { Scope } from './provider-events.ts'

interface AccessScopeHandlers {
  handleAdmitted(scope: Scope): void
  handleScope(event: { scope: Scope; previous: Scope | undefined; reason?: AccessChangeCode }): void
  handleRefused(event: { reason: string; code: string; permanent: boolean }): void
}

/** What the server lets us do with the document. Kept over a lost connection: an editor must not become writable by a cut. */
export class AccessScope {
  readonly #handlers: AccessScopeHandlers
  #current: Scope | undefined

  constructor(handlers: AccessScopeHandlers) {
    this.#handlers = handlers
  }

  /** Undefined until the server has said it. */
  get current(): Scope | undefined {
    return this.#current
  }

  /** We were let in. */
  handleJoined(scope: Scope): void {
    const previous = this.#current
    this.#current = scope
    this.#handlers.handleAdmitted(scope)
    if (scope !== previous) this.#handlers.handleScope({ scope, previous })
  }

  /** We are in, and it has changed. */
  handleChanged(scope: Scope, reason: AccessChangeCode): void {
    const previous = this.#current
    this.#current = scope
    if (scope !== previous) this.#handlers.handleScope({ scope, previous, reason })
  }

  /** Tells of refusals that are about who we are, and no others. */
  handleRefused(error: ProviderError, permanent: boolean): void {
    if (!isAccessRefusal(error)) return
    if (permanent) this.#current = undefined
    this.#handlers.handleRefused({ reason: error.message, code: error.code, permanent })
  }
}
