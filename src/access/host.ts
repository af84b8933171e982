import type { IncomingHttpHeaders } from 'node:http'
import { DocumentError } from '../errors.ts'
import { isLoopbackName } from './origin.ts'

/**
 * Whether a request names a host under which this server may be reached. A page of a foreign host whose name is pointed at this machine (DNS
 * rebinding) is, to the browser, a page of this server's own: only the name gives it away.
 *
 * With no list: whatever it is called. With one: these names, whatever the port, and this machine.
 */
export function isHostAllowed(
  { host }: IncomingHttpHeaders,
  allowed: readonly string[] | null,
): boolean {
  if (allowed === null) return true
  if (host === undefined || !URL.canParse(`http://${host}`)) return false
  const { hostname } = new URL(`http://${host}`)
  return isLoopbackName(hostname) || allowed.includes(hostname)
}

export function hostNotAllowed(): DocumentError {
  return new DocumentError(
    'host-not-allowed',
    'this server is not reached under this host name; its operator may allow it (allowedHosts, tokens or --allow-anonymous)',
  )
}
