import { fdatasync, open, write } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** No protocol, no documents: what comes through TCP is appended to a file, synced, and sent back. The least that saving takes here. */
export async function start({ directory }) {
  const file = await promisify(open)(join(directory, 'echo'), 'a')
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => undefined)
    socket.on('data', (bytes) => {
      write(file, bytes, () => fdatasync(file, () => socket.write(bytes)))
    })
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { port: server.address().port, close: () => server.close() }
}
