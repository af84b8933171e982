import type { ProviderError, ProviderErrorCode } from './provider-error.ts'

const CODES: ReadonlySet<ProviderErrorCode> = new Set([
  'unauthenticated',
  'forbidden',
  'access-revoked',
  'user-changed',
  'origin-not-allowed',
])

/** Refused for who we are, not for what we sent. */
export function isAccessRefusal({ code, retry }: ProviderError): boolean {
  return retry === 'reauth' || CODES.has(code)
}
