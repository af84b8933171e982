import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** A TCP proxy whose cable can be cut, or whose bytes can be swallowed while both ends believe in it. */
export interface CuttableProxy {
  readonly url: string
  /** Where new connections go from now on. */
  target: number
  /** Destroys every connection and refuses new ones. */
  cut(): void
  /** Keeps connections open and delivers nothing: a network that is simply gone. */
  swallow(): void
  restore(): void
  close(): Promise<void>
}

export async function startProxy(targetPort: number): Promise<CuttableProxy> {
  let mode: 'open' | 'cut' | 'swallowing' = 'open'
  const sockets = new Set<Socket>()
  const proxy = { target: targetPort }
  const server = createServer((inner) => {
    if (mode === 'cut') {
      inner.destroy()
      return
    }
    const outer = connect(proxy.target, '127.0.0.1')
    for (const [from, to] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      sockets.add(from)
      from.on('data', (bytes) => {
        if (mode !== 'swallowing') to.write(bytes)
      })
      from.on('error', () => to.destroy())
      from.on('close', () => {
        sockets.delete(from)
        // A swallowed end does not learn of the other's death either.
        if (mode !== 'swallowing') to.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const destroyAll = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return Object.assign(proxy, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
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
  })
}
