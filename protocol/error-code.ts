/**
 * Who must act on a refusal, and how.
 *
 * - `never`: the same request will be refused again; keep the bytes and tell the user.
 * - `backoff`: nothing is wrong with the request; send it again later, with jitter.
 * - `reauth`: send a new token, then try again.
 * - `resync`: join the document again; the two sides have lost each other.
 */
export type Retry = 'never' | 'backoff' | 'reauth' | 'resync'

/** Every code a peer can receive, with its retry class. A code is never reused for another meaning. */
export const ERROR_CODES = {
  'unsupported-protocol': 'never',
  'origin-not-allowed': 'never',
  'host-not-allowed': 'never',
  'already-connected': 'never',
  unauthenticated: 'reauth',
  'token-expired': 'reauth',
  'user-changed': 'never',
  forbidden: 'never',
  'access-revoked': 'never',
  'read-only': 'never',
  'update-refused': 'never',
  'malformed-request': 'never',
  'malformed-update': 'never',
  'malformed-awareness': 'never',
  'invalid-document-name': 'never',
  'update-too-large': 'never',
  'document-too-large': 'never',
  'presence-too-large': 'never',
  'presence-not-yours': 'never',
  'too-many-documents': 'never',
  'too-many-clients': 'never',
  'too-many-connections': 'backoff',
  'too-many-requests': 'backoff',
  'not-joined': 'resync',
  'missing-dependencies': 'resync',
  'cursor-too-old': 'resync',
  'upload-lost': 'resync',
  'snapshot-replaced': 'resync',
  'reader-too-slow': 'resync',
  'document-reset': 'never',
  'document-deleted': 'never',
  'document-damaged': 'never',
  'storage-unavailable': 'backoff',
  'server-closing': 'backoff',
  'internal-error': 'backoff',
} as const satisfies Record<string, Retry>

export type ErrorCode = keyof typeof ERROR_CODES

/** The body of every refusal on the wire. The message is for people and may change; the code does not. */
export interface Refusal {
  readonly ok: false
  readonly code: ErrorCode
  readonly retry: Retry
  readonly message: string
}

export function refusal(code: ErrorCode, message: string): Refusal {
  return { ok: false, code, retry: ERROR_CODES[code], message }
}

export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(ERROR_CODES, value)
}
