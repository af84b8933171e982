import type { ProviderErrorCode } from './provider-error.ts'

/** Closed by this client. */
export const CLOSED_HERE = 1000
/** The connection was lost. */
export const CLOSED_ABNORMALLY = 1006

/** y-websocket's range of permanent codes, in the numbers of HTTP where one fits. */
const CLOSE_CODES: Partial<Record<ProviderErrorCode, number>> = {
  unauthenticated: 4401,
  'token-expired': 4401,
  'origin-not-allowed': 4403,
  forbidden: 4403,
  'access-revoked': 4403,
  'document-deleted': 4404,
  'document-reset': 4409,
  'unsupported-protocol': 4426,
}
const OTHER_REFUSAL = 4400

export function closeCode(code: ProviderErrorCode): number {
  return CLOSE_CODES[code] ?? OTHER_REFUSAL
}
