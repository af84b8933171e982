import type { TokenReason, TokenSource } from './connection-options.ts'
import { deferred } from './deferred.ts'
import { errorFromRefusal, ProviderError } from './provider-error.ts'
import type { Outcome } from './wire.ts'

interface TokenRenewalOptions {
  /** Where tokens come from at the moment. */
  readonly source: () => TokenSource
  /** The token that the connection was opened with. */
  readonly shown: string | null
  readonly send: (token: string, handleAnswer: (outcome: Outcome<'token'>) => void) => void
}

/** Brings newer tokens to the server over a connection that stands. */
export class TokenRenewal {
  readonly #options: TokenRenewalOptions
  #shown: string | null
  /** The renewal under way, and where its token comes from. */
  #running: { readonly source: TokenSource; readonly end: Promise<ProviderError | null> } | null =
    null
  readonly #closed = deferred<null>()

  constructor(options: TokenRenewalOptions) {
    this.#options = options
    this.#shown = options.shown
  }

  /**
   * Resolves with null when the server goes by the newest token, or with what is in the way. Documents that lose their access together
   * ask together, and get one token. Null too when the connection ends first: the next one begins with a new token.
   */
  renew(reason: TokenReason): Promise<ProviderError | null> {
    const source = this.#options.source()
    if (this.#running?.source === source) return this.#running.end
    // Tokens of a source that was replaced meanwhile are shown first, and then count no longer.
    const before = this.#running?.end ?? Promise.resolve(null)
    const renewed = before.then(() => this.#renew(source, reason))
    const running = { source, end: Promise.race([renewed, this.#closed.promise]) }
    this.#running = running
    void running.end.then(() => {
      if (this.#running === running) this.#running = null
    })
    return running.end
  }

  /** The connection is gone: nobody waits for an answer any more. */
  close(): void {
    this.#closed.resolve(null)
  }

  async #renew(source: TokenSource, reason: TokenReason): Promise<ProviderError | null> {
    let token: string | null
    try {
      token = typeof source === 'function' ? await source(reason) : source
    } catch (cause) {
      return tokenFailed(cause)
    }
    if (token === this.#shown) {
      // A function may have nothing newer yet; a fixed token never will.
      return typeof source === 'function' && token !== null ? null : noNewToken()
    }
    if (token === null) return noNewToken()
    const sent = token
    const outcome = await new Promise<Outcome<'token'>>((resolve) =>
      this.#options.send(sent, resolve),
    )
    if (!outcome.ok) return errorFromRefusal(outcome)
    this.#shown = sent
    return null
  }
}

export function tokenFailed(cause: unknown): ProviderError {
  return new ProviderError('token-failed', 'the token function failed', { cause })
}

function noNewToken(): ProviderError {
  return new ProviderError('unauthenticated', 'there is no newer token', { retry: 'reauth' })
}
