import { ERROR_CODES, type ErrorCode, type Refusal, type Retry } from '../protocol/index.ts'

/**
 * A refusal inside the server, on its way to the peer that caused it. Its `code` is stable across
 * minor versions, its message is not.
 */
export class DocumentError extends Error {
  override readonly name = 'DocumentError'
  readonly code: ErrorCode
  /** The option whose limit was reached, if one was; counted in `y_rooms_limit_hits_total`. */
  readonly limit: string | null

  constructor(code: ErrorCode, message: string, options?: ErrorOptions & { limit?: string }) {
    super(message, options)
    this.code = code
    this.limit = options?.limit ?? null
  }

  get retry(): Retry {
    return ERROR_CODES[this.code]
  }

  toRefusal(): Refusal {
    return { ok: false, code: this.code, retry: this.retry, message: this.message }
  }
}

/** What went wrong below the storage port. */
export type StorageErrorCode =
  /** Another process, or another storage of this process, has the directory open. */
  | 'storage-locked'
  /** The directory cannot be made, read or written. */
  | 'storage-inaccessible'
  /** The directory holds something else, or was written by a newer version. */
  | 'storage-format'
  /** A read or write failed: disk full, I/O error, closed. Nothing of the call may be relied upon. */
  | 'storage-unavailable'
  /** A record does not match its checksum. */
  | 'record-damaged'

export class StorageError extends Error {
  override readonly name = 'StorageError'
  readonly code: StorageErrorCode

  constructor(code: StorageErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/**
 * What a peer is told of an error, or null when it is none of its business. The messages are fixed: those of a
 * `StorageError` may name files of the server.
 */
export function asDocumentError(error: unknown): DocumentError | null {
  if (error instanceof DocumentError) return error
  if (!(error instanceof StorageError)) return null
  return error.code === 'record-damaged'
    ? new DocumentError('document-damaged', 'the stored document is damaged', { cause: error })
    : new DocumentError('storage-unavailable', 'the storage does not answer at the moment', {
        cause: error,
      })
}

/** An option that the application gave is wrong; the message names it, its value and what is allowed. */
export class OptionError extends TypeError {
  override readonly name = 'OptionError'
}
