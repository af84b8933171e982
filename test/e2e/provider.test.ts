import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { SocketIOProvider } from 'y-rooms/client'
import { startProxy } from '../support/cuttable-proxy.ts'
import { RawClient, loadDocument, readDocument } from '../support/raw-client.ts'
import { startServer, type RunningServer } from '../support/running-server.ts'
import { makeTempDirectory, removeDirectory } from '../support/temp-directory.ts'
import { POSSIBLE_TRANSPORTS } from '../support/transport.ts'

let directory: string
let server: RunningServer
let admit: () => Promise<void> = () => Promise.resolve()

beforeEach(async () => {
  directory = await makeTempDirectory()
  admit = () => Promise.resolve()
  server = await startServer(directory, {
    authenticate: async () => {
      await admit()
      return { id: 'anybody' }
    },
  })
})

afterEach(async () => {
  await server.close()
  await removeDirectory(directory)
})

/** Resolves when a document has this text, watching through a connection that was there before. */
async function whenText(watcher: RawClient, doc: Y.Doc, expected: string): Promise<void> {
  await watcher.until(() => {
    for (const { update } of watcher.updates) Y.applyUpdate(doc, update)
    return doc.getText('body').toJSON() === expected
  })
}

describe('a provider and its server', () => {
  test.each(POSSIBLE_TRANSPORTS)(
    '[SYNC1] an edit made in the same turn as destroy() or disconnect() arrives, over %s',
    async (transport) => {
      for (const ending of ['destroy', 'disconnect'] as const) {
        const name = `${transport}-${ending}`
        const watcher = await RawClient.connect(server.url)
        const seen = await loadDocument(watcher, name)
        const provider = new SocketIOProvider(server.url, name, new Y.Doc(), {
          socketIo: { transports: [transport] },
        })
        await provider.whenSynced
        provider.doc.getText('body').insert(0, 'last words')
        provider[ending]()
        await whenText(watcher, seen, 'last words')
        watcher.close()
        provider.destroy()
      }
    },
  )

  test('T15 [JOIN6] a second provider on a Y.Doc does not bring a deleted document back', async () => {
    const doc = new Y.Doc()
    const first = new SocketIOProvider(server.url, 'secret', doc)
    await first.whenSynced
    doc.getText('body').insert(0, 'secret')
    await first.whenSaved()
    first.destroy()
    const name = (await server.documents.open('secret')).name
    expect(name).toBe('secret')
    await deleteDocument('secret')
    const second = new SocketIOProvider(server.url, 'secret', doc)
    await expect(second.whenSynced).rejects.toMatchObject({ code: 'document-reset' })
    expect((await readDocument(server.url, 'secret')).getText('body').toJSON()).toBe('')
    second.destroy()
  })

  test('T60 [SYNC2] saved is never announced over an edit that a listener has just made', async () => {
    const doc = new Y.Doc()
    const provider = new SocketIOProvider(server.url, 'reentrant', doc)
    await provider.whenSynced
    let edits = 0
    provider.on('unsyncedChanges', ({ number }) => {
      if (number === 0 && edits++ < 3) doc.getText('body').insert(0, 'again ')
    })
    const claims: boolean[] = []
    provider.on('save-state', ({ state }) => {
      if (state === 'saved') claims.push(provider.unsyncedChanges === 0)
    })
    doc.getText('body').insert(0, 'once')
    await provider.whenSaved()
    expect([provider.saveState, provider.unsyncedChanges, edits]).toEqual(['saved', 0, 4])
    expect(claims).not.toContain(false)
    expect((await readDocument(server.url, 'reentrant')).getText('body').toJSON()).toBe(
      'again again again once',
    )
    provider.destroy()
  })

  test('[SYNC3] whoever waits for a provider that is destroyed is told', async () => {
    const provider = new SocketIOProvider(server.url, 'destroyed', new Y.Doc(), { connect: false })
    const synced = provider.whenSynced
    provider.doc.getText('body').insert(0, 'never sent')
    provider.destroy()
    await expect(synced).rejects.toMatchObject({ code: 'destroyed' })
    await expect(provider.whenSynced).rejects.toMatchObject({ code: 'destroyed' })
    await expect(provider.whenSaved()).rejects.toMatchObject({ code: 'destroyed' })
  })

  test('[SYNC4] a cable cut while the server decides about admission costs a back-off, not a long wait', async () => {
    const proxy = await startProxy(Number(new URL(server.url).port))
    let decide = (): void => undefined
    const asked = new Promise<void>((resolve) => {
      admit = () => {
        resolve()
        return new Promise((admitted) => (decide = admitted))
      }
    })
    const provider = new SocketIOProvider(proxy.url, 'cut', new Y.Doc(), {
      maxBackoffTime: 100,
      socketIo: { transports: POSSIBLE_TRANSPORTS.slice(0, 1) },
    })
    await asked
    proxy.cut()
    admit = () => Promise.resolve()
    decide()
    proxy.restore()
    await provider.whenSynced
    provider.destroy()
    await proxy.close()
  })

  test('[SYNC4] a back-off that would hammer a dead server is refused at once', () => {
    for (const maxBackoffTime of [0, -1, NaN, Infinity])
      expect(
        () => new SocketIOProvider(server.url, 'hot', new Y.Doc(), { maxBackoffTime }),
      ).toThrow('maxBackoffTime')
  })
})

async function deleteDocument(name: string): Promise<void> {
  const { default: express } = await import('express')
  const app = express().use(server.documents.router())
  const http = app.listen(0, '127.0.0.1')
  await new Promise((resolve) => http.once('listening', resolve))
  const { port } = http.address() as { port: number }
  const response = await fetch(`http://127.0.0.1:${port}/documents/${name}`, { method: 'DELETE' })
  expect(response.status).toBe(204)
  http.closeAllConnections()
  http.close()
}
