import type { IncomingHttpHeaders } from 'node:http'

const LOOPBACK = /^(localhost|.*\.localhost|127(\.\d{1,3}){3}|\[::1\])$/

/**
 * Whether a page of this origin may connect. CORS does not protect WebSockets: without this check any page
 * that a user visits could open the documents that the user's browser can reach.
 *
 * With no list: the page's own host, and any loopback page on a loopback server (a development server on another
 * port). No Origin header means that it is no page.
 */
export function isOriginAllowed(
  headers: IncomingHttpHeaders,
  allowed: readonly string[] | '*' | null,
): boolean {
  const { origin, host } = headers
  if (origin === undefined || allowed === '*') return true
  if (allowed !== null) return allowed.includes(origin)
  if (host === undefined) return false
  const page = parse(origin)
  const server = parse(`http://${host}`)
  if (page === null || server === null) return false
  return (
    page.host === server.host || (isLoopbackName(page.hostname) && isLoopbackName(server.hostname))
  )
}

/** A name that means this machine to every browser. */
export function isLoopbackName(hostname: string): boolean {
  return LOOPBACK.test(hostname)
}

function parse(url: string): URL | null {
  try {
    return new URL(url)
  } catch {
    // An Origin of "null" (sandboxed frames, files) or a malformed one: nobody we know.
    return null
  }
}
