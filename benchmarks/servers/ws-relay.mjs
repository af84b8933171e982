// Passes every message on to the others of the same path: no documents, no storage. What the transport alone costs.
import { WebSocketServer } from 'ws'

export async function start() {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
  await new Promise((resolve) => server.once('listening', resolve))
  const rooms = new Map()
  server.on('connection', (socket, request) => {
    const room = rooms.get(request.url) ?? new Set()
    rooms.set(request.url, room.add(socket))
    socket.on('message', (data) => {
      for (const other of room) if (other !== socket) other.send(data)
    })
    socket.on('close', () => room.delete(socket))
    socket.send(new Uint8Array(0))
  })
  return {
    port: server.address().port,
    async close() {
      for (const socket of server.clients) socket.terminate()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
