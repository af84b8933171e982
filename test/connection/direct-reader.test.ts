import { EventEmitter } from 'node:events'
import type { Socket } from 'socket.io'
import { describe, expect, test } from 'vitest'
import { DirectReader } from '../../src/connection/direct-reader.ts'
import { StockPackets } from '../../src/connection/stock-packets.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const ATTACHMENT = Buffer.from([1, 2, 3])
const event = (namespace: string, document = 7): string =>
  `51-${namespace},4["update",${document},{"_placeholder":true,"num":0}]`

class FakeSocket extends EventEmitter {
  connected = true
  fns: unknown[] = [() => undefined]
  _anyListeners: unknown[] | undefined
  readonly client: { decoder: FakeDecoder }

  constructor(decoder: FakeDecoder) {
    super()
    this.client = { decoder }
    this.on('update', () => undefined)
  }

  disconnect(): void {
    this.connected = false
    DirectReader.stop(this as unknown as Socket)
  }
}

class FakeDecoder {
  reconstructor: object | null = null
  readonly added: unknown[] = []
  add(packet: unknown): void {
    this.added.push(packet)
  }
}

function scene() {
  const decoder = new FakeDecoder()
  const open = (namespace: string) => {
    const socket = new FakeSocket(decoder)
    const handled: unknown[] = []
    DirectReader.read(socket as unknown as Socket, {
      packets: new StockPackets(namespace),
      middlewares: 1,
      listeners: 1,
      handle: ({ document, ackId }, bytes) => void handled.push([document, ackId, bytes]),
      handleQuestion: ({ event: asked, args }) => void handled.push([asked, ...args]),
    })
    return { socket, handled }
  }
  const receive = (...packets: unknown[]): void => {
    for (const packet of packets) decoder.add(packet)
  }
  return { decoder, open, receive }
}

describe('reading past Socket.IO', () => {
  test('[EMB1] what is known is handled, and all else goes the usual way, in its order', () => {
    const { decoder, open, receive } = scene()
    const { handled } = open('/y-rooms')
    receive(event('/y-rooms'), ATTACHMENT, '0/other,', event('/other'), ATTACHMENT)
    expect(handled).toEqual([[7, 4, ATTACHMENT]])
    expect(decoder.added).toEqual(['0/other,', event('/other'), ATTACHMENT])
    // The decoder waits for an attachment: what comes is its.
    decoder.reconstructor = {}
    receive(event('/y-rooms'))
    expect(decoder.added.at(-1)).toBe(event('/y-rooms'))
  })

  test('T27 [REQ1] an update behind something that goes the usual way in the same turn goes there too: it may build on it', () => {
    const { decoder, open, receive } = scene()
    const { handled } = open('/y-rooms')
    const upload = '2/y-rooms,1["update",7,{"upload":1}]'
    receive(upload, event('/y-rooms'), ATTACHMENT)
    expect([decoder.added, handled]).toEqual([[upload, event('/y-rooms'), ATTACHMENT], []])
  })

  test('[EMB1] a middleware, a catch-all listener or a listener of the host’s sees every event', async () => {
    const { decoder, open, receive } = scene()
    const { socket, handled } = open('/y-rooms')
    const isStock = async (): Promise<boolean> => {
      await turn()
      decoder.added.length = 0
      receive(event('/y-rooms'), ATTACHMENT)
      return decoder.added.length === 2
    }
    expect(await isStock()).toBe(false)
    socket.fns.push(() => undefined)
    expect(await isStock()).toBe(true)
    socket.fns.pop()
    socket._anyListeners = [() => undefined]
    expect(await isStock()).toBe(true)
    socket._anyListeners = []
    const listener = (): void => undefined
    socket.on('update', listener)
    expect(await isStock()).toBe(true)
    socket.off('update', listener)
    expect(await isStock()).toBe(false)
    expect(handled).toHaveLength(2)
  })

  test('T26 [EMB1] sockets of one connection in several namespaces have their own events, until they disconnect', async () => {
    const { decoder, open, receive } = scene()
    const a = open('/a')
    const b = open('/b')
    receive(event('/a', 1), ATTACHMENT, event('/b', 2), ATTACHMENT)
    a.socket.disconnect()
    receive(event('/a', 3), ATTACHMENT)
    await turn()
    receive(event('/b', 4), ATTACHMENT)
    const again = open('/a')
    receive(event('/a', 5), ATTACHMENT)
    const documents = [a, b, again].map(({ handled }) => handled.map((one) => (one as number[])[0]))
    expect(documents).toEqual([[1], [2, 4], [5]])
    expect(decoder.added).toEqual([event('/a', 3), ATTACHMENT])
  })

  test('T27 [REQ1] a text in place of an attachment ends the connection; an attachment of a socket that is gone is dropped', () => {
    const { decoder, open, receive } = scene()
    const { socket, handled } = open('/y-rooms')
    receive(event('/y-rooms'))
    expect(() => receive('2/y-rooms,["leave"]')).toThrow('attachment')
    receive(event('/y-rooms'))
    socket.disconnect()
    receive(ATTACHMENT)
    expect([handled, decoder.added]).toEqual([[], []])
  })
})
