import type { ErrorCode, Refusal, Retry } from '../protocol/index.ts'

/** Codes that only the client gives, beside those of the wire. */
export type ClientErrorCode =
  /** The server did not answer a request in time, or not in a form that this client reads. */
  | 'no-answer'
  /** The network or the server could not be reached. */
  | 'connection-failed'
  /** The `token` function threw or rejected; its error is the `cause`. */
  | 'token-failed'
  /** Applying a remote update threw, as a rule in an observer of the Y.Doc; its error is the `cause`. */
  | 'apply-failed'
  /**
   * The self-check found that this copy and the server's had become different, and neither knew. It is healed when this is
   * reported; the message says what was missing where.
   */
  | 'state-diverged'
  /** `whenSaved` ran out of time. The changes are kept and still being sent. */
  | 'save-timeout'
  /** IndexedDB cannot be opened, read or written; its error is the `cause`. The changes are kept in memory. */
  | 'persistence-failed'
  /** No room on the device. The changes are kept in memory, and storing them is tried again. */
  | 'persistence-quota'
  /** Another page holds the database, and does not let it be deleted or changed. */
  | 'persistence-blocked'
  /** `destroy` was called while somebody waited. */
  | 'destroyed'

export type ProviderErrorCode = ErrorCode | ClientErrorCode

/** The request got no (readable) answer on a connection that still stands. */
export interface NoAnswer {
  readonly ok: false
  readonly code: 'no-answer'
  readonly retry: 'backoff'
  readonly message: string
}

interface ProviderErrorOptions {
  readonly retry?: Retry
  readonly documentName?: string
  readonly cause?: unknown
}

/** What went wrong, in a stable `code`, and whether anybody but the user can mend it. */
export class ProviderError extends Error {
  override readonly name = 'ProviderError'
  readonly code: ProviderErrorCode
  /** Who must act (see `Retry` in the protocol). The provider itself does what `backoff` and `resync` ask. */
  readonly retry: Retry
  readonly documentName: string | undefined

  constructor(code: ProviderErrorCode, message: string, options: ProviderErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retry = options.retry ?? 'backoff'
    this.documentName = options.documentName
  }

  /** True if the provider will not try again on its own. */
  get permanent(): boolean {
    return this.retry === 'never' || this.retry === 'reauth'
  }
}

export function errorFromRefusal(
  refused: Omit<Refusal, 'ok'> | NoAnswer,
  documentName?: string,
): ProviderError {
  return new ProviderError(refused.code, refused.message, {
    retry: refused.retry,
    ...(documentName === undefined ? {} : { documentName }),
  })
}
