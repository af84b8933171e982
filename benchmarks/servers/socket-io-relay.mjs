// Passes every message on to the others of the same room: no documents, no storage. What the transport alone costs.
import { Server } from 'socket.io'
import { createServer } from 'node:http'

export async function start() {
  const http = createServer()
  const io = new Server(http)
  io.on('connection', (socket) => {
    const room = socket.handshake.auth.document
    void socket.join(room)
    socket.on('update', (update) => socket.to(room).emit('update', update))
    socket.on('awareness', (update) => socket.to(room).emit('awareness', update))
  })
  await new Promise((resolve) => http.listen(0, '127.0.0.1', resolve))
  return { port: http.address().port, close: () => io.close() }
}
