import { createServer } from 'node:http'
import { Server } from 'socket.io'
import { YSocketIO } from 'y-socket.io/dist/server'

export async function start({ directory }) {
  const http = createServer()
  const io = new Server(http)
  const documents = new YSocketIO(io, { levelPersistenceDir: directory })
  documents.initialize()
  await new Promise((resolve) => http.listen(0, '127.0.0.1', resolve))
  return {
    port: http.address().port,
    async close() {
      await io.close()
      await documents.persistence.provider.destroy()
    },
  }
}
