import { Backoff } from './backoff.ts'
import type { Channel } from './channel.ts'
import type { CancelTimer, Clock } from './clock.ts'
import type { ProviderError } from './provider-error.ts'

interface JoinRetryOptions {
  readonly clock: Clock
  readonly maxBackoffMs: number
  readonly join: (channel: Channel) => void
  /** It is tried again, and this was the reason. */
  readonly handleError: (error: ProviderError) => void
  /** It is not tried again. */
  readonly handleGivenUp: (error: ProviderError) => void
}

/** What becomes of a document whose join or membership failed: joined again after a pause, or with a newer token, or given up. */
export class JoinRetry {
  readonly #options: JoinRetryOptions
  readonly backoff: Backoff
  /** A newer token was shown since we were in the document last. */
  #hasRenewed = false

  constructor(options: JoinRetryOptions) {
    this.#options = options
    this.backoff = new Backoff(options.clock, options.maxBackoffMs)
  }

  handleJoined(): void {
    this.backoff.handleSuccess()
    this.#hasRenewed = false
  }

  /** Returns what calls the next attempt off, after which nothing is heard of it; null if there is none. */
  plan(channel: Channel, error: ProviderError): CancelTimer | null {
    if (error.retry === 'reauth' && !this.#hasRenewed) return this.#renew(channel, error)
    return error.permanent ? null : this.#pause(channel)
  }

  #pause(channel: Channel): CancelTimer {
    const { clock, join } = this.#options
    return clock.setTimer(this.backoff.nextPauseMs(), () => join(channel))
  }

  /** The server wants a newer token: joins again with one, once. */
  #renew(channel: Channel, refused: ProviderError): CancelTimer {
    const { join, handleError, handleGivenUp } = this.#options
    let isWanted = true
    let cancelPause: CancelTimer | null = null
    void channel.renewToken().then((failure) => {
      if (!isWanted) return
      if (failure?.permanent) handleGivenUp(refused)
      else if (failure === null) {
        this.#hasRenewed = true
        join(channel)
      } else {
        cancelPause = this.#pause(channel)
        handleError(failure)
      }
    })
    return () => {
      isWanted = false
      cancelPause?.()
    }
  }
}
