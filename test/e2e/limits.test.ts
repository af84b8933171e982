import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Server as SocketIOServer, type Socket as ServerSocket } from 'socket.io'
import { describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { createDocumentServer, memoryStorage, type ServerOptions } from 'y-rooms/server'
import { encodePresence } from '../support/awareness-message.ts'
import { RawClient, updateOf } from '../support/raw-client.ts'

const KIB = 1024

interface HostedServer {
  readonly url: string
  readonly io: SocketIOServer
}

/** On a host's Socket.IO server, so that the test can look into what engine.io holds. */
async function startHosted(options: Omit<ServerOptions, 'storage'>): Promise<HostedServer> {
  const http = createServer()
  const io = new SocketIOServer(http, { maxHttpBufferSize: 8 * KIB * KIB })
  const documents = createDocumentServer({ storage: memoryStorage(), ...options })
  documents.attach(io)
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    await documents.close()
    await io.close()
  })
  return { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`, io }
}

async function connect(url: string, transports?: string[]): Promise<RawClient> {
  const client = await RawClient.connect(url, {}, transports)
  onTestFinished(() => client.close())
  return client
}

/** A large update: random-looking text, so that nothing on the way makes it small. */
function largeUpdate(length: number): Uint8Array {
  const doc = new Y.Doc()
  return updateOf(doc, () => doc.getText('body').insert(0, 'y'.repeat(length)))
}

/** Stops reading at the TCP level: the client stays connected and the kernel's buffers fill up. */
function stopReading(client: RawClient): void {
  const { transport } = client.socket.io.engine as unknown as {
    transport: { ws: { _socket: { pause(): void } } }
  }
  transport.ws._socket.pause()
}

interface Held {
  maxBytes: number
}

/** The most that engine.io, ws and Node held for a socket, measured without the code under test, at every packet and write. */
function measure(socket: ServerSocket): Held {
  const held = { maxBytes: 0 }
  const conn = socket.conn as unknown as {
    on(event: string, listener: () => void): void
    writeBuffer: { data?: string | Uint8Array }[]
    transport: {
      socket: { bufferedAmount: number; _socket: { write: (...args: unknown[]) => boolean } }
    }
  }
  const look = (): void => {
    const buffered = conn.writeBuffer.reduce((sum, { data }) => sum + (data?.length ?? 0), 0)
    held.maxBytes = Math.max(held.maxBytes, buffered + conn.transport.socket.bufferedAmount)
  }
  conn.on('packetCreate', look)
  const tcp = conn.transport.socket._socket
  const write = tcp.write.bind(tcp)
  tcp.write = (...args) => {
    const result = write(...args)
    look()
    return result
  }
  return held
}

const onlySocket = (io: SocketIOServer): ServerSocket =>
  [...io.of('/y-rooms').sockets.values()][0] as ServerSocket

const whenDisconnected = (socket: ServerSocket): Promise<void> =>
  new Promise((resolve) => socket.once('disconnect', () => resolve()))

describe('limits', () => {
  test('[OUT3] who asks for more and more and reads nothing costs a bounded amount, and is disconnected', async () => {
    const { url, io } = await startHosted({ outboxStallMs: 5000 })
    const client = await connect(url)
    const { document, epoch } = await client.join('large', { clientId: 1 })
    await client.update(document, largeUpdate(250 * KIB))
    const socket = onlySocket(io)
    const held = measure(socket)
    const gone = whenDisconnected(socket)
    stopReading(client)
    // More than the kernel's buffers take, 750 MB in all.
    for (let pull = 0; pull < 3000; pull++)
      client.socket.emit('pull', document, { epoch, after: 0 }, () => undefined)
    await gone
    // The soft limit, and the answers of eight requests that were under way when it was reached.
    expect(held.maxBytes).toBeGreaterThan(256 * KIB)
    expect(held.maxBytes).toBeLessThan(1024 * KIB + 9 * 256 * KIB)
  })

  test('[OUT2] small answers count as well: who reads none of them is disconnected at the hard limit', async () => {
    const { url, io } = await startHosted({ outboxSoftBytes: 16 * KIB, outboxHardBytes: 64 * KIB })
    const client = await connect(url)
    const socket = onlySocket(io)
    const held = measure(socket)
    let isGone = false
    const gone = whenDisconnected(socket).then(() => (isGone = true))
    stopReading(client)
    // Refused with `not-joined`: about 100 bytes for each.
    while (!isGone) {
      for (let request = 0; request < 5000; request++)
        client.socket.emit('leave', 1, 1, () => undefined)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    await gone
    expect(held.maxBytes).toBeGreaterThan(16 * KIB)
    expect(held.maxBytes).toBeLessThan(2 * 64 * KIB)
  })

  test.each(['websocket', 'polling'])(
    '[OUT3] who reads gets every answer, however many requests it sends at once, by %s',
    async (transport) => {
      const { url } = await startHosted({})
      const client = await connect(url, [transport])
      const { document, epoch } = await client.join('large', { clientId: 1 })
      await client.update(document, largeUpdate(100 * KIB))
      const answers = await Promise.all(
        Array.from({ length: 200 }, () => client.pull(document, { epoch, after: 0 })),
      )
      expect(answers.filter(({ ok }) => ok)).toHaveLength(200)
      const joins = await Promise.all(
        Array.from({ length: 200 }, (_, index) =>
          client.tryJoin(`document ${index}`, { clientId: 1 }),
        ),
      )
      expect(joins.filter(({ ok }) => ok)).toHaveLength(200)
    },
  )

  test('[OUT2] a message many times the hard limit reaches every reader, and none is disconnected', async () => {
    const { url } = await startHosted({ outboxSoftBytes: 16 * KIB, outboxHardBytes: 64 * KIB })
    const author = await connect(url)
    const readers = [await connect(url), await connect(url)]
    for (const [index, reader] of readers.entries())
      await reader.join('draft', { clientId: 10 + index })
    const { document, epoch } = await author.join('draft', { clientId: 1 })
    const update = largeUpdate(4096 * KIB)
    expect(await author.update(document, update)).toMatchObject({ ok: true })
    for (const reader of readers) {
      await reader.until(() => reader.updates.length > 0 || !reader.socket.connected)
      // Announced only: it does not read in chunks, and so gets all of it in one answer.
      const pulled = await reader.pull(document, { epoch, after: 0 })
      if (!pulled.ok) throw new Error(pulled.code)
      expect([reader.socket.connected, pulled.updates[0]?.length]).toEqual([true, update.length])
    }
  })

  test('[PRES8] one connection joins a document with 32 client ids at most; those that leave make room', async () => {
    const { url } = await startHosted({})
    const client = await connect(url)
    const joins = await Promise.all(
      Array.from({ length: 100 }, (_, index) => client.tryJoin('draft', { clientId: 1 + index })),
    )
    expect(joins.filter(({ ok }) => ok)).toHaveLength(32)
    expect(joins.filter(({ ok }) => !ok)).toMatchObject(
      Array.from({ length: 68 }, () => ({ code: 'too-many-clients', retry: 'never' })),
    )
    const { document } = await client.join('draft', { clientId: 1 })
    await client.leave(document, 1)
    await client.join('draft', { clientId: 200 })
    // Another document, and another connection, have their own.
    await client.join('other', { clientId: 201 })
    await (await connect(url)).join('draft', { clientId: 202 })
  })

  test('[PRES7] the presence that a join answer brings is bounded', async () => {
    const { url } = await startHosted({ maxPresenceBytes: 1024 * KIB })
    const codes = new Set<string>()
    for (let connection = 0; connection < 2; connection++) {
      const client = await connect(url)
      for (let member = 0; member < 8; member++) {
        const clientId = connection * 100 + member
        const { document } = await client.join('draft', { clientId })
        const state = { text: 'x'.repeat(900 * KIB) }
        const answer = await client.request(
          'awareness',
          document,
          encodePresence({ clientId, clock: 1, state }),
        )
        codes.add((answer as { code?: string }).code ?? 'taken')
      }
    }
    expect([...codes].sort()).toEqual(['presence-too-large', 'taken'])
    const { awareness } = await (await connect(url)).join('draft', { clientId: 999 })
    expect(awareness!.byteLength).toBeGreaterThan(900 * KIB)
    expect(awareness!.byteLength).toBeLessThan(4096 * KIB)
  })
})
