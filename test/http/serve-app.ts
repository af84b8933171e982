import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Express } from 'express'
import { onTestFinished } from 'vitest'

/** Serves an app on a free port until the test ends; answers its URL. */
export async function serveApp(app: Express): Promise<string> {
  const server = createServer(app)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    const isClosed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await isClosed
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
