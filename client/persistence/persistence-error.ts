import { ProviderError } from '../provider-error.ts'

/** What IndexedDB threw, as one of the codes that an application can act on. */
export function persistenceError(cause: unknown, action: string): ProviderError {
  if (cause instanceof ProviderError) return cause
  const name = nameOf(cause)
  if (name === 'QuotaExceededError')
    return new ProviderError('persistence-quota', `no room on this device to ${action}`, { cause })
  return new ProviderError('persistence-failed', `could not ${action} (${name})`, { cause })
}

/**
 * Browsers kill the connection to IndexedDB under a page (Safari for background tabs, everyone when a
 * profile is cleaned). The handle stays dead then; a new one works.
 */
export function isDeadHandle(cause: unknown): boolean {
  return ['InvalidStateError', 'UnknownError', 'AbortError'].includes(nameOf(cause))
}

const nameOf = (cause: unknown): string =>
  typeof cause === 'object' && cause !== null && 'name' in cause ? String(cause.name) : 'unknown'
