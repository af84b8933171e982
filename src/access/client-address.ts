import type { IncomingHttpHeaders } from 'node:http'
import { isIPv6 } from 'node:net'

/**
 * Whose connection it is. Each reverse proxy appends the address that it was called from to `X-Forwarded-For`; what is
 * further to the left than the trusted ones wrote is whatever the client likes.
 */
export function clientAddress(
  headers: IncomingHttpHeaders,
  remoteAddress: string,
  trustedProxies: number,
): string {
  const header = headers['x-forwarded-for']
  if (trustedProxies === 0 || header === undefined) return remoteAddress
  const hops = [header].flat().join(',').split(',')
  return withoutPort(hops.at(-Math.min(trustedProxies, hops.length))?.trim() ?? '') || remoteAddress
}

/** Some proxies write the port of the connection behind the address, which is another one each time. */
function withoutPort(hop: string): string {
  return /^\[([^\]]*)\](?::\d+)?$/.exec(hop)?.[1] ?? /^([\d.]+):\d+$/.exec(hop)?.[1] ?? hop
}

/** What is counted as one address: an IPv4 address, or the 64 bits of IPv6 that a customer or a server gets. */
export function addressGroup(address: string): string {
  if (!address.includes(':')) return address
  // As a dual-stack socket shows IPv4.
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)
  if (mapped !== null) return mapped[1] as string
  if (!isIPv6(address)) return address
  const [head = '', tail] = address.toLowerCase().split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length)
  const groups = [...before, ...Array.from({ length: zeros }, () => '0'), ...after]
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`
}
