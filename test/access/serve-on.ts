import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { Server as SocketIOServer } from 'socket.io'
import { onTestFinished } from 'vitest'
import { createDocumentServer, memoryStorage, type ServerOptions } from 'y-rooms/server'

/** A server of our own, or on a Socket.IO server of the host, which looks at no origins. Documents are at `/api`. Resolves to its URL. */
export async function serveOn(
  on: 'http' | 'host',
  options: Partial<ServerOptions> = {},
): Promise<string> {
  const app = express()
  const http = createServer(app)
  const documents = createDocumentServer({ storage: memoryStorage(), ...options })
  app.use('/api', documents.router())
  const host = on === 'host' ? new SocketIOServer(http, { cors: { origin: '*' } }) : null
  documents.attach(host ?? http)
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    await documents.close()
    await host?.close()
    http.closeAllConnections()
    http.close()
  })
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}`
}
