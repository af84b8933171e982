import { DEFAULT_NAMESPACE } from '../protocol/index.ts'

/**
 * The address that Socket.IO understands: an origin, the namespace as its path, and the query. A URL
 * without a path means the namespace of y-rooms; one without a host means the page's own server.
 */
export function serverAddress(url: string, pageUrl: string | undefined): string {
  const absolute = /^(https?|wss?):\/\//i.test(url)
  let parsed: URL
  try {
    if (absolute) parsed = new URL(url)
    else if (pageUrl !== undefined && (url === '' || url.startsWith('/')))
      parsed = new URL(url, pageUrl)
    else if (/^[^/]/.test(url)) parsed = new URL(`http://${url}`)
    else throw new TypeError('a URL without a host needs a page')
  } catch (cause) {
    throw new TypeError(`not a server URL: ${JSON.stringify(url)}`, { cause })
  }
  const isOwnPage = !absolute && (url === '' || url === '/')
  const path = isOwnPage ? '' : parsed.pathname.replace(/\/+$/, '')
  const origin = `${parsed.protocol}//${parsed.host}`
  return origin + (path === '' ? DEFAULT_NAMESPACE : path) + (isOwnPage ? '' : parsed.search)
}
