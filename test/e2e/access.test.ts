import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { Server as SocketIOServer } from 'socket.io'
import { io } from 'socket.io-client'
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import {
  createDocumentServer,
  memoryStorage,
  StorageError,
  type Authenticate,
  type Authorize,
  type Storage,
} from 'y-rooms/server'
import { RawClient, updateOf } from '../support/raw-client.ts'
import { startServer } from '../support/running-server.ts'

async function serve(hooks: { authenticate?: Authenticate; authorize?: Authorize }) {
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
    for (const answer of [undefined, true, 'admin', 'READ', {}, null]) {
      const { url, close } = await serve({ authorize: () => answer as never })
      const client = await RawClient.connect(url)
      expect(await client.tryJoin('a', { clientId: 1 })).toMatchObject({ code: 'forbidden' })
      expect((await fetch(`${url}/api/documents/a`)).status).toBe(403)
      client.close()
      await close()
    }
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
    fault = new StorageError('record-damaged', 'chunk 0 does not match its checksum')
    expect(await client.tryJoin('damaged', { clientId: 2 })).toMatchObject({
      code: 'document-damaged',
      retry: 'never',
    })
    fault = new StorageError('storage-unavailable', 'I/O error')
    expect(await client.tryJoin('damaged', { clientId: 2 })).toMatchObject({
      code: 'storage-unavailable',
      retry: 'backoff',
    })
    client.close()
    await server.close()
  })
})

describe('closing', () => {
  test('[EMB5] a stock client comes back by itself after the server was closed in order', async () => {
    const first = await startServer(memoryStorage())
    const port = Number(new URL(first.url).port)
    const socket = io(`${first.url}/y-rooms`, {
      transports: ['websocket'],
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
