import type { TokenReason, TokenSource } from './connection-options.ts'
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
  #running: Promise<ProviderError | null> | null = null

  constructor(options: TokenRenewalOptions) {
    this.#options = options
    this.#shown = options.shown
  }

  /**
   * Resolves with null when the server goes by the newest token, or with what is in the way. Documents that lose their access together
   * ask together, and get one token. It stays pending when the connection ends first.
   */
  renew(reason: TokenReason): Promise<ProviderError | null> {
    this.#running ??= this.#renew(reason).finally(() => {
      this.#running = null
    })
    return this.#running
  }

  async #renew(reason: TokenReason): Promise<ProviderError | null> {
    const source = this.#options.source()
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
