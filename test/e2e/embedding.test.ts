import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { Server as SocketIOServer } from 'socket.io'
import { io } from 'socket.io-client'
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { createDocumentServer, levelStorage } from 'y-rooms/server'
import { RawClient, loadDocument, readDocument, updateOf } from '../support/raw-client.ts'
import { makeTempDirectory } from '../support/temp-directory.ts'

async function listen(app: express.Express) {
  const http = createServer(app)
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
  const close = async (): Promise<void> => {
    http.closeAllConnections()
    await new Promise<void>((resolve) => http.close(() => resolve()))
  }
  return { http, url, close }
}

describe('embedding', () => {
  test('[RELAY4] acknowledgements and relays of keystrokes make no packet in engine.io', async () => {
    const { http, url, close } = await listen(express())
    const host = new SocketIOServer(http)
    const documents = createDocumentServer({ storage: levelStorage(await makeTempDirectory()) })
    documents.attach(host)
    await documents.ready()
    const [writer, reader] = [await RawClient.connect(url), await RawClient.connect(url)]
    const doc = await loadDocument(writer, 'draft')
    const { document } = await writer.join('draft', { clientId: doc.clientID })
    await reader.join('draft', { clientId: 2 })
    let packets = 0
    for (const socket of await host.of('/y-rooms').fetchSockets()) {
      const { conn } = host.of('/y-rooms').sockets.get(socket.id)!
      conn.on('packetCreate', ({ type }: { type: string }) => {
        if (type === 'message') packets++
      })
    }
    const type = (letter: string): Uint8Array =>
      updateOf(doc, () => doc.getText('body').insert(0, letter))
    for (let seq = 1; seq <= 5; seq++)
      expect(await writer.update(document, type('a'))).toMatchObject({ ok: true, seq })
    await reader.until(() => reader.updates.at(-1)?.to === 5)
    // Neither does the answer to a join, while the document is small.
    await writer.join('draft', { clientId: doc.clientID })
    expect(packets).toBe(0)

    // Large attachments are not copied into a frame: they go the usual way.
    await writer.update(document, type('b'.repeat(5000)))
    await writer.join('draft', { clientId: doc.clientID })
    expect(packets).toBeGreaterThan(0)
    for (const client of [writer, reader]) client.close()
    await documents.close()
    await host.close()
    await close()
  })

  test('[EMB1] updates and carets go past Socket.IO’s dispatch, unless the host has a middleware or a listener on the socket, which then sees each', async () => {
    const { http, url, close } = await listen(express())
    const host = new SocketIOServer(http)
    const documents = createDocumentServer({ storage: levelStorage(await makeTempDirectory()) })
    documents.attach(host)
    await documents.ready()
    const client = await RawClient.connect(url)
    const doc = await loadDocument(client, 'draft')
    const { document } = await client.join('draft', { clientId: doc.clientID })
    const [socket] = host.of('/y-rooms').sockets.values()
    // Private to Socket.IO: all that it dispatches.
    const dispatcher = socket as unknown as { onevent(packet: { data: unknown[] }): void }
    const dispatched: unknown[] = []
    const onevent = dispatcher.onevent.bind(dispatcher)
    dispatcher.onevent = (packet) => {
      dispatched.push(packet.data[0])
      onevent(packet)
    }
    const type = (): Promise<unknown> =>
      client.update(
        document,
        updateOf(doc, () => doc.getText('body').insert(0, 'a')),
      )
    const malformed = (): Promise<unknown> =>
      client.request('awareness', document, Buffer.from([9, 9]))
    expect(await type()).toMatchObject({ ok: true, seq: 1 })
    expect(await client.update(document, Buffer.from([1]))).toMatchObject({
      code: 'malformed-update',
      retry: 'never',
    })
    expect(await malformed()).toMatchObject({ code: 'malformed-awareness' })
    expect(dispatched).toEqual([])

    const seen: unknown[] = []
    socket!.use(([event], next) => {
      seen.push(event)
      next()
    })
    expect(await type()).toMatchObject({ ok: true, seq: 2 })
    expect(await malformed()).toMatchObject({ code: 'malformed-awareness' })
    expect([seen, dispatched]).toEqual([
      ['update', 'awareness'],
      ['update', 'awareness'],
    ])
    client.close()
    await documents.close()
    await host.close()
    await close()
  })

  test('[EMB1] an Express app with its own Socket.IO events works beside y-rooms, and after documents.close()', async () => {
    const app = express()
    app.get('/hello', (_request, response) => {
      response.send('hello')
    })
    const { http, url, close } = await listen(app)
    const hostIo = new SocketIOServer(http)
    hostIo.on('connection', (socket) => {
      // The same event names as ours, on the host's own namespace.
      socket.on('join', (room: string, answer: (text: string) => void) =>
        answer(`host joined ${room}`),
      )
      socket.on('update', (text: string, answer: (text: string) => void) =>
        answer(`host got ${text}`),
      )
    })
    const documents = createDocumentServer({ storage: levelStorage(await makeTempDirectory()) })
    documents.attach(hostIo)
    app.use('/api', documents.router())
    app.use(documents.healthRouter())
    await documents.ready()

    const hostClient = io(url, { transports: ['websocket'], forceNew: true })
    const client = await RawClient.connect(url)
    const doc = await loadDocument(client, 'draft')
    const { document } = await client.join('draft', { clientId: doc.clientID })
    expect(
      await client.update(
        document,
        updateOf(doc, () => doc.getText('body').insert(0, 'Hello')),
      ),
    ).toMatchObject({ ok: true, seq: 1 })
    expect(await hostClient.emitWithAck('join', 'a')).toBe('host joined a')

    const listed = (await (await fetch(`${url}/api/documents`)).json()) as { documents: string[] }
    expect(listed.documents).toEqual(['draft'])
    const json = await fetch(`${url}/api/documents/draft`, {
      headers: { accept: 'application/json' },
    })
    expect(await json.json()).toEqual({ body: 'Hello' })
    expect((await fetch(`${url}/readyz`)).status).toBe(200)

    await documents.close()
    expect(await hostClient.emitWithAck('update', 'b')).toBe('host got b')
    expect(await (await fetch(`${url}/hello`)).text()).toBe('hello')
    expect((await fetch(`${url}/readyz`)).status).toBe(503)
    await client.until(() => client.closed.length > 0)
    expect(client.closed[0]).toMatchObject({ code: 'server-closing', retry: 'backoff' })
    hostClient.disconnect()
    client.close()
    await hostIo.close()
    await close()
  })

  test('[EMB2] attached to an HTTP server it leaves that server as it found it', async () => {
    const app = express()
    app.get('/hello', (_request, response) => {
      response.send('hello')
    })
    const { http, url, close } = await listen(app)
    const listeners = (): unknown =>
      new Map(http.eventNames().map((name) => [name, http.listeners(name)]))
    const before = listeners()
    const documents = createDocumentServer({ storage: levelStorage(await makeTempDirectory()) })
    documents.attach(http)
    const doc = await readDocument(url, 'empty')
    expect(doc.store.clients.size).toBe(0)
    await documents.close()
    expect(listeners()).toEqual(before)
    expect(await (await fetch(`${url}/hello`)).text()).toBe('hello')
    await close()
  })

  test('[EMB2] a listener for one event that was waiting when it was attached does not come back', async () => {
    const http = createServer()
    const documents = createDocumentServer({ storage: levelStorage(await makeTempDirectory()) })
    await new Promise<void>((resolve) => {
      http.listen(0, '127.0.0.1', resolve)
      documents.attach(http)
    })
    await documents.close()
    expect(http.eventNames().filter((name) => http.listenerCount(name) > 0)).toEqual(
      createServer().eventNames(),
    )
    await new Promise<void>((resolve) => http.close(() => resolve()))
  })

  test('[EMB3] a server-side editor goes the same way as a client: durable, relayed, and told of others', async () => {
    const { http, url, close } = await listen(express())
    const directory = await makeTempDirectory()
    const documents = createDocumentServer({ storage: levelStorage(directory) })
    documents.attach(http)
    const editor = await documents.open('draft')
    const client = await RawClient.connect(url)
    const doc = new Y.Doc()
    const { document } = await client.join('draft', { clientId: doc.clientID })
    const length = await editor.transact((draft) => {
      draft.getText('body').insert(0, 'Hello')
      return draft.getText('body').length
    })
    expect(length).toBe(5)
    await client.until(() => client.updates.length === 1)
    Y.applyUpdate(doc, client.updates[0]!.update)
    await client.update(
      document,
      updateOf(doc, () => doc.getText('body').insert(5, ' world')),
    )
    expect(await editor.read((draft) => draft.getText('body').toString())).toBe('Hello world')

    // A change that throws leaves nothing behind.
    await expect(
      editor.transact((draft) => {
        draft.getText('body').insert(0, 'half ')
        throw new Error('changed my mind')
      }),
    ).rejects.toThrow('changed my mind')
    expect(await editor.read((draft) => draft.getText('body').toString())).toBe('Hello world')
    // An observer that changes the document in answer is part of the change.
    await editor.transact((draft) => {
      draft.getText('body').observe((event) => {
        if (event.target.length < 13) event.target.insert(event.target.length, '!')
      })
      draft.getText('body').insert(5, ',')
    })
    const third = await RawClient.connect(url)
    expect((await loadDocument(third, 'draft')).getText('body').toString()).toBe('Hello, world!')
    third.close()
    await editor.transact((draft) => draft.getText('body').delete(12, 1))
    await expect(editor.transact(() => Promise.resolve())).rejects.toThrow('must be synchronous')
    client.close()
    await documents.close()
    await expect(editor.transact(() => undefined)).rejects.toMatchObject({ code: 'not-joined' })

    const again = createDocumentServer({ storage: levelStorage(directory) })
    const reopened = await again.open('draft')
    expect(await reopened.read((draft) => draft.getText('body').toString())).toMatch(
      /^Hello, world/,
    )
    await again.close()
    await close()
  })

  test('[EMB4] an error in an application hook refuses that one request and nothing else', async () => {
    const { http, url, close } = await listen(express())
    const documents = createDocumentServer({
      storage: levelStorage(await makeTempDirectory()),
      authenticate: ({ auth }) => {
        if (auth['token'] === 'broken') throw new Error('the identity provider is down')
        return auth['token'] === 'good' ? { id: 'ada' } : null
      },
      authorize: (_user, name) => {
        if (name === 'broken') throw new Error('the permissions are down')
        return name === 'secret' ? 'none' : name === 'public' ? 'read' : 'write'
      },
    })
    documents.attach(http)
    await expect(RawClient.connect(url, { token: 'bad' })).rejects.toMatchObject({
      data: { code: 'unauthenticated', retry: 'reauth' },
    })
    await expect(RawClient.connect(url, { token: 'broken' })).rejects.toMatchObject({
      data: { code: 'internal-error', retry: 'backoff' },
    })
    const client = await RawClient.connect(url, { token: 'good' })
    expect(await client.tryJoin('broken', { clientId: 1 })).toMatchObject({
      code: 'internal-error',
    })
    expect(await client.tryJoin('secret', { clientId: 1 })).toMatchObject({
      code: 'forbidden',
      retry: 'never',
    })
    const { document, access } = await client.join('public', { clientId: 1 })
    expect(access).toBe('read')
    expect(await client.update(document, new Uint8Array([0, 0]))).toMatchObject({
      code: 'read-only',
    })
    expect((await client.join('open', { clientId: 1 })).access).toBe('write')
    client.close()
    await documents.close()
    await close()
  })
})
