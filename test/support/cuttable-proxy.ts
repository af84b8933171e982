import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { RateLimit } from './rate-limit.ts'

export interface ProxyOptions {
  /** How fast what the server sends passes, all connections together. Default: at once. */
  readonly bytesPerSecond?: number
}

/** A TCP proxy whose cable can be cut, or whose bytes can be swallowed while both ends believe in it. */
export interface CuttableProxy {
  readonly url: string
  /** Where new connections go from now on. */
  target: number
  /** How many bytes of the server have passed towards its clients, over all connections. */
  readonly passedBytes: number
  /** How many bytes of clients have passed towards the server. */
  readonly sentBytes: number
  /** How many connections were made. */
  readonly connections: number
  /**
   * The cable breaks when this many bytes have passed, counted over all connections and in that direction; what comes after
   * them on the broken connections is lost. New connections pass again at once. In ascending order.
   */
  cutAt(direction: 'down' | 'up', offsets: readonly number[]): void
  /** Destroys every connection and refuses new ones. */
  cut(): void
  /** Keeps connections open and delivers nothing: a network that is simply gone. */
  swallow(): void
  restore(): void
  close(): Promise<void>
}

/** One direction through the proxy. */
class Direction {
  passedBytes = 0
  cuts: number[] = []
  readonly limit: RateLimit | null

  constructor(bytesPerSecond: number | undefined) {
    this.limit = bytesPerSecond === undefined ? null : new RateLimit(bytesPerSecond)
  }

  /** Passes bytes on, up to the next cut. Returns whether the cable broke. */
  pass(bytes: Buffer, to: Socket): boolean {
    const room = (this.cuts[0] ?? Infinity) - this.passedBytes
    const passed = bytes.subarray(0, Math.min(room, bytes.length))
    to.write(passed)
    this.passedBytes += passed.length
    if (bytes.length < room) return false
    this.cuts.shift()
    return true
  }
}

export async function startProxy(
  targetPort: number,
  options: ProxyOptions = {},
): Promise<CuttableProxy> {
  let mode: 'open' | 'cut' | 'swallowing' = 'open'
  let connections = 0
  const up = new Direction(undefined)
  const down = new Direction(options.bytesPerSecond)
  const sockets = new Set<Socket>()
  const destroyAll = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  const forward = (from: Socket, to: Socket, direction: Direction): void => {
    sockets.add(from)
    /** Read, and not passed yet. Node tells of the end of a paused socket all the same. */
    let isWaiting = false
    const handleEnd = (): void => {
      // A swallowed end does not learn of the other's death either.
      if (mode !== 'swallowing') to.end()
    }
    from.on('data', (bytes) => {
      if (mode === 'swallowing') return
      const pass = (): void => {
        if (to.destroyed) return
        if (direction.pass(bytes, to)) destroyAll()
      }
      if (direction.limit === null) {
        pass()
        return
      }
      // The sender feels it: nothing more is read before this has passed.
      from.pause()
      isWaiting = true
      direction.limit.after(bytes.length, () => {
        pass()
        isWaiting = false
        if (from.readableEnded) handleEnd()
        else from.resume()
      })
    })
    // After what was read before it: a response of long polling ends with its connection.
    from.on('end', () => {
      if (!isWaiting) handleEnd()
    })
    from.on('error', () => to.destroy())
    from.on('close', () => {
      sockets.delete(from)
      if (mode !== 'swallowing' && !to.writableEnded && !isWaiting) to.destroy()
    })
  }
  const server = createServer({ allowHalfOpen: true }, (inner) => {
    if (mode === 'cut') {
      inner.destroy()
      return
    }
    connections++
    const outer = connect({ port: proxy.target, host: '127.0.0.1', allowHalfOpen: true })
    forward(inner, outer, up)
    forward(outer, inner, down)
  })
  const proxy = {
    target: targetPort,
    url: '',
    get passedBytes() {
      return down.passedBytes
    },
    get sentBytes() {
      return up.passedBytes
    },
    get connections() {
      return connections
    },
    cutAt(direction: 'down' | 'up', offsets: readonly number[]) {
      ;(direction === 'down' ? down : up).cuts = [...offsets]
    },
    cut() {
      mode = 'cut'
      destroyAll()
    },
    swallow() {
      mode = 'swallowing'
    },
    restore() {
      mode = 'open'
    },
    async close() {
      destroyAll()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  proxy.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return proxy
}
