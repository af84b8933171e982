import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { Server as SocketIOServer, type ServerOptions } from 'socket.io'
import { PacketType } from 'socket.io-parser'
import { io, Manager, type Socket } from 'socket.io-client'
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import {
  createDocumentServer,
  memoryStorage,
  StorageError,
  type Authenticate,
  type Authorize,
  type Logger,
  type Storage,
} from 'y-rooms/server'
import { RawClient, updateOf } from '../support/raw-client.ts'
import { USUAL_TRANSPORTS } from '../support/transport.ts'
import { startServer } from '../support/running-server.ts'

async function serve(hooks: {
  authenticate?: Authenticate
  authorize?: Authorize
  logger?: Logger
}) {
  const app = express()
  const http = createServer(app)
  const documents = createDocumentServer({ storage: memoryStorage(), ...hooks })
  documents.attach(http)
  app.use('/api', documents.router())
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
  const close = async (): Promise<void> => {
    await documents.close()
    http.closeAllConnections()
    await new Promise<void>((resolve) => http.close(() => resolve()))
  }
  return { url, close }
}

describe('access', () => {
  test('[ACC1] a hook that does not clearly say who it is refuses, over the socket and over HTTP', async () => {
    for (const answer of [undefined, false, true, 7, 'ada', {}, { id: '' }, { id: 7 }, null]) {
      const { url, close } = await serve({ authenticate: () => answer as never })
      await expect(RawClient.connect(url)).rejects.toMatchObject({
        data: { code: 'unauthenticated', retry: 'reauth' },
      })
      expect((await fetch(`${url}/api/documents`)).status).toBe(401)
      expect((await fetch(`${url}/api/documents/a`)).status).toBe(401)
      await close()
    }
  })

  test('[ACC1] a hook that does not clearly grant access grants none, over the socket and over HTTP', async () => {
    for (const answer of [undefined, true, false, 1, 'admin', 'READ', {}, null]) {
      const { url, close } = await serve({ authorize: () => answer as never })
      const client = await RawClient.connect(url)
      expect(await client.tryJoin('a', { clientId: 1 })).toMatchObject({ code: 'forbidden' })
      expect((await fetch(`${url}/api/documents/a`)).status).toBe(403)
      client.close()
      await close()
    }
  })

  test('[ACC1] a hook that answers something else is logged as an error, once for socket and HTTP together', async () => {
    const errors: string[] = []
    const ignore = (): void => undefined
    const { url, close } = await serve({
      authorize: () => 'admin' as never,
      logger: {
        debug: ignore,
        info: ignore,
        warn: ignore,
        error: (message) => errors.push(message),
      },
    })
    const client = await RawClient.connect(url)
    await client.tryJoin('a', { clientId: 1 })
    await client.tryJoin('b', { clientId: 1 })
    await fetch(`${url}/api/documents/a`)
    expect(errors).toEqual([expect.stringContaining('authorize must answer')])
    client.close()
    await close()
  })

  test('T10 T11 [JOIN2] a damaged record is told as such, wherever it comes to light', async () => {
    const memory = memoryStorage()
    let fault: StorageError | null = null
    const storage: Storage = new Proxy(memory, {
      get(target, property: keyof Storage) {
        if (property === 'readSnapshotChunk' && fault !== null) return () => Promise.reject(fault)
        const member = target[property]
        return typeof member === 'function' ? member.bind(target) : member
      },
    })
    const server = await startServer(storage, { snapshotCacheBytes: 0 })
    const client = await RawClient.connect(server.url)
    const doc = new Y.Doc()
    const { document } = await client.join('damaged', { clientId: doc.clientID })
    await client.update(
      document,
      updateOf(doc, () => doc.getText('body').insert(0, 'text')),
    )
    await server.documents.compact('damaged')
    fault = new StorageError('record-damaged', 'Corruption: /var/lib/documents/000005.ldb')
    expect(await client.tryJoin('damaged', { clientId: 2 })).toEqual({
      ok: false,
      code: 'document-damaged',
      retry: 'never',
      message: 'the stored document is damaged',
    })
    // The operator learns more than the peer.
    expect(server.errors).toEqual([{ message: 'a request failed', fields: { error: fault } }])
    fault = new StorageError('storage-unavailable', 'I/O error')
    expect(await client.tryJoin('damaged', { clientId: 2 })).toMatchObject({
      code: 'storage-unavailable',
      retry: 'backoff',
    })
    client.close()
    await server.close()
  })
})

/** A Socket.IO server of a host application, on a loopback port. */
async function startHost(options: Partial<ServerOptions> = {}) {
  const http = createServer()
  const host = new SocketIOServer(http, options)
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  return { host, url: `http://127.0.0.1:${(http.address() as AddressInfo).port}` }
}

/** Resolves when the socket is connected, rejects with the refusal. */
const connected = (socket: Socket): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('connect_error', reject)
  })

const join = (socket: Socket): Promise<unknown> =>
  socket.emitWithAck('join', { document: 'a', clientId: 1, key: '0123456789abcdef' })

describe('a namespace of the host', () => {
  test('[EMB1] one engine connection may have a socket in each of several, and one in each', async () => {
    const { host, url } = await startHost()
    let authenticating = Promise.resolve()
    let answer = (): void => undefined
    const documents = createDocumentServer({
      storage: memoryStorage(),
      authenticate: async () => {
        await authenticating
        return { id: 'ada' }
      },
    })
    for (const name of ['/a', '/b', '/c']) documents.attach(host.of(name))
    // A second time is the same as once.
    documents.attach(host.of('/a'))
    const manager = new Manager(url, { transports: ['websocket'] })
    for (const name of ['/a', '/b']) {
      const socket = manager.socket(name)
      await connected(socket)
      expect(await join(socket)).toMatchObject({ ok: true })
    }
    // Two requests for a third namespace at once, while the first still waits for the hook.
    authenticating = new Promise((resolve) => (answer = resolve))
    const nextPacket = (): Promise<unknown> =>
      new Promise((resolve) => manager.once('packet', resolve))
    let packet = nextPacket()
    for (let i = 0; i < 2; i++) manager._packet({ type: PacketType.CONNECT, nsp: '/c' } as never)
    expect(await packet).toMatchObject({
      type: PacketType.CONNECT_ERROR,
      data: { data: { code: 'already-connected' } },
    })
    packet = nextPacket()
    answer()
    expect(await packet).toMatchObject({ type: PacketType.CONNECT, nsp: '/c' })
    manager._close()
    await documents.close()
    await host.close()
  })

  test('[EMB1] a socket that a later middleware of the host refused may try again on the same connection', async () => {
    const { host, url } = await startHost()
    const namespace = host.of('/shared')
    const documents = createDocumentServer({ storage: memoryStorage() })
    documents.attach(namespace)
    let refusals = 1
    namespace.use((_socket, next) => next(refusals-- > 0 ? new Error('not yet') : undefined))
    const manager = new Manager(url, { transports: ['websocket'] })
    await connected(manager.socket('/'))
    const engine = manager.engine.id
    const socket = manager.socket('/shared')
    await expect(connected(socket)).rejects.toThrow('not yet')
    socket.connect()
    await connected(socket)
    expect(manager.engine.id).toBe(engine)
    expect(await join(socket)).toMatchObject({ ok: true })
    manager._close()
    await documents.close()
    await host.close()
  })

  test('[EMB1] while the server closes, clients are refused with server-closing', async () => {
    const { host, url } = await startHost()
    const memory = memoryStorage()
    let finishAppend = (): void => undefined
    const appending = new Promise<void>((began) => {
      const held = new Promise<void>((finish) => (finishAppend = finish))
      const append = memory.append.bind(memory)
      memory.append = async (...args) => {
        began()
        await held
        return append(...args)
      }
    })
    const documents = createDocumentServer({ storage: memory, closeTimeoutMs: 120_000 })
    documents.attach(host)
    const client = await RawClient.connect(url)
    const doc = new Y.Doc()
    const { document } = await client.join('a', { clientId: doc.clientID })
    const saved = client.update(
      document,
      updateOf(doc, () => doc.getText('body').insert(0, 'text')),
    )
    await appending
    const closing = documents.close()
    await expect(RawClient.connect(url)).rejects.toMatchObject({ data: { code: 'server-closing' } })
    finishAppend()
    expect(await saved).toMatchObject({ ok: true })
    await closing
    client.close()
    await host.close()
  })

  test('[EMB6] a socket that Socket.IO recovered is asked again who it is, and what it sent meanwhile is answered', async () => {
    const { host, url } = await startHost({ connectionStateRecovery: {} })
    let user: { id: string } | null = { id: 'ada' }
    let answering = Promise.resolve()
    const documents = createDocumentServer({
      storage: memoryStorage(),
      authenticate: async () => {
        await answering
        return user
      },
    })
    documents.attach(host)
    const socket = io(`${url}/y-rooms`, {
      transports: ['websocket'],
      forceNew: true,
      reconnectionDelay: 20,
      reconnectionDelayMax: 50,
    })
    await connected(socket)
    // Socket.IO recovers only a client that has heard a broadcast, which carries the offset.
    const hearBroadcast = async (): Promise<void> => {
      const heard = new Promise((resolve) => socket.once('news', resolve))
      host.of('/y-rooms').emit('news', 'from the host')
      await heard
    }
    await hearBroadcast()

    let answer = (): void => undefined
    answering = new Promise((resolve) => (answer = resolve))
    socket.io.engine.close()
    await connected(socket)
    expect(socket.recovered).toBe(true)
    const answers: string[] = []
    const joined = Promise.all(
      ['first', 'second'].map(async (name) => {
        await join(socket)
        answers.push(name)
      }),
    )
    // An answer would have overtaken this one, which does not wait for the hook.
    await hearBroadcast()
    expect(answers).toEqual([])
    answer()
    await joined
    expect(answers).toEqual(['first', 'second'])

    // Refused now: told why, and disconnected; whether it asks before the hook has answered or after.
    user = null
    for (const isBefore of [true, false]) {
      answering = isBefore ? new Promise((resolve) => (answer = resolve)) : Promise.resolve()
      const reasons: string[] = []
      const disconnected = new Promise<void>((resolve) => {
        socket.on('disconnect', (reason) => {
          reasons.push(reason)
          if (reason === 'io server disconnect') resolve()
        })
      })
      if (isBefore) socket.io.engine.close()
      // Socket.IO recovers the same session again after it was refused.
      else socket.connect()
      await connected(socket)
      expect(socket.recovered).toBe(true)
      const refused = join(socket)
      if (isBefore) {
        await hearBroadcast()
        answer()
      }
      expect(await refused).toMatchObject({ ok: false, code: 'unauthenticated', retry: 'reauth' })
      await disconnected
      socket.off('disconnect')
    }
    socket.disconnect()
    await documents.close()
    await host.close()
  })
})

describe('closing', () => {
  test('[EMB5] a stock client comes back by itself after the server was closed in order', async () => {
    const first = await startServer(memoryStorage())
    const port = Number(new URL(first.url).port)
    const socket = io(`${first.url}/y-rooms`, {
      ...USUAL_TRANSPORTS,
      forceNew: true,
      reconnectionDelay: 20,
      reconnectionDelayMax: 50,
    })
    await new Promise<void>((resolve) => socket.once('connect', resolve))
    await first.close()
    const back = new Promise<void>((resolve) => socket.once('connect', resolve))
    const second = await startServer(memoryStorage(), {}, port)
    await back
    socket.disconnect()
    await second.close()
  })

  test('[EMB1] a namespace of the host is its own again after closing', async () => {
    const http = createServer()
    const host = new SocketIOServer(http)
    const namespace = host.of('/shared')
    const documents = createDocumentServer({
      storage: memoryStorage(),
      authenticate: ({ auth }) => (auth['token'] === 'good' ? { id: 'ada' } : null),
    })
    documents.attach(namespace)
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/shared`
    await documents.close()
    const socket = io(url, { transports: ['websocket'], forceNew: true })
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('connect_error', reject)
    })
    socket.disconnect()
    await host.close()
  })
})
