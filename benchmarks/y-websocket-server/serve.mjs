// Its version 0.1.5 has the lines commented out that made a y-leveldb of YPERSISTENCE; this is what they did.
import { setPersistence, setupWSConnection } from '@y/websocket-server/utils'
import { createServer } from 'node:http'
import WebSocket from 'ws'
import { LeveldbPersistence } from 'y-leveldb'
import * as Y from 'yjs'

export async function start({ directory }) {
  const storage = new LeveldbPersistence(directory)
  setPersistence({
    provider: storage,
    async bindState(name, doc) {
      const stored = await storage.getYDoc(name)
      const update = Y.encodeStateAsUpdate(doc)
      void storage.storeUpdate(name, update)
      Y.applyUpdate(doc, Y.encodeStateAsUpdate(stored))
      doc.on('update', (bytes) => void storage.storeUpdate(name, bytes))
    },
    async writeState() {},
  })
  const http = createServer()
  const sockets = new WebSocket.Server({ noServer: true })
  sockets.on('connection', setupWSConnection)
  http.on('upgrade', (request, socket, head) =>
    sockets.handleUpgrade(request, socket, head, (connection) =>
      sockets.emit('connection', connection, request),
    ),
  )
  await new Promise((resolve) => http.listen(0, '127.0.0.1', resolve))
  return {
    port: http.address().port,
    async close() {
      for (const connection of sockets.clients) connection.terminate()
      await storage.destroy()
    },
  }
}
