import { SQLite } from '@hocuspocus/extension-sqlite'
import { Server } from '@hocuspocus/server'
import { join } from 'node:path'

export async function start({ directory, options = {} }) {
  const server = new Server({
    address: '127.0.0.1',
    port: 0,
    quiet: true,
    stopOnSignals: false,
    extensions: [new SQLite({ database: join(directory, 'documents.sqlite') })],
    ...options,
  })
  await server.listen()
  return { port: server.httpServer.address().port, close: () => server.destroy() }
}
