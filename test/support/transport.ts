import type { Server as HttpServer } from 'node:http'
import type { Duplex } from 'node:stream'

/**
 * Whether this run plays a network that blocks WebSocket (`TRANSPORT=polling`): servers refuse every upgrade, and clients
 * have to find out by themselves, as they do behind such a proxy.
 */
export const isWebSocketBlocked = process.env['TRANSPORT'] === 'polling'

/** Options of stock clients: a WebSocket; where it is blocked, what is left after it was tried. */
export const USUAL_TRANSPORTS = {
  transports: isWebSocketBlocked ? ['websocket', 'polling'] : ['websocket'],
  tryAllTransports: true,
}

/** What a test that says its transport can play in this run. */
export const POSSIBLE_TRANSPORTS = isWebSocketBlocked ? ['polling'] : ['websocket', 'polling']

/** Refuses upgrades on this server if this run blocks WebSocket. To be called after everything has been attached. */
export function blockWebSocket(http: HttpServer): void {
  if (!isWebSocketBlocked) return
  http.removeAllListeners('upgrade')
  http.on('upgrade', (_request, socket: Duplex) => {
    // A client that has given up resets it.
    socket.on('error', () => undefined)
    socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n')
  })
}
