import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { Histogram } from './histogram.mjs'
import { startServer } from './server.mjs'
import { sleep } from './session.mjs'

/** As long as a keystroke in its packet. */
const MESSAGE = Buffer.alloc(90)
const TIMES = 400

/**
 * The milliseconds, at the median, from sending some bytes to a bare TCP server until they are back, which it has put on the disk before: two ways
 * through loopback, two turns of its event loop, and a sync, on the cores that the server and the load of a benchmark have.
 */
export async function measureSyncedEcho(besides, everyMs) {
  const directory = await mkdtemp(`${besides}-echo-`)
  const server = await startServer('synced-echo', { directory })
  const socket = connect({ port: server.port, host: '127.0.0.1', noDelay: true })
  const latencies = new Histogram()
  try {
    await once(socket, 'connect')
    for (let sent = 0; sent < TIMES; sent++) {
      const sentAt = performance.now()
      socket.write(MESSAGE)
      await once(socket, 'data')
      latencies.add(performance.now() - sentAt)
      await sleep(everyMs)
    }
    return latencies.quantile(0.5)
  } finally {
    socket.destroy()
    await server.close()
    await rm(directory, { recursive: true, force: true })
  }
}
