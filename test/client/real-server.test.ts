import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { SocketIOProvider, type ProviderOptions } from 'y-rooms/client'
import { expectEqualDocuments } from '../support/equal-documents.ts'
import { startServer, type RunningServer } from '../support/running-server.ts'
import { tempDirectory } from '../support/temp-directory.ts'

async function startHere(): Promise<RunningServer> {
  const server = await startServer(await tempDirectory())
  onTestFinished(() => server.close())
  return server
}

function open(url: string, options: ProviderOptions & { doc?: Y.Doc } = {}): SocketIOProvider {
  const provider = new SocketIOProvider(url, 'draft', options.doc ?? new Y.Doc(), options)
  onTestFinished(() => {
    provider.destroy()
    provider.doc.destroy()
  })
  return provider
}

test('T20 T24 T40 two providers, a large paste, an offline hour and a late joiner, over real sockets', async () => {
  const { url, documents } = await startHere()
  // An options object of its own is a socket of its own.
  const ada = open(url)
  const bob = open(url, { socketIo: {} })
  await Promise.all([ada.whenSynced, bob.whenSynced])
  ada.awareness.setLocalStateField('name', 'Ada')
  ada.doc.getText('body').insert(0, 'hello')
  await ada.whenSaved()
  await expect.poll(() => bob.doc.getText('body').toJSON()).toBe('hello')
  await expect.poll(() => bob.awareness.getStates().get(ada.doc.clientID)).toEqual({ name: 'Ada' })
  bob.doc.getText('body').insert(5, 'x'.repeat(1_200_000))
  await bob.whenSaved()
  await expect.poll(() => ada.doc.getText('body').length).toBe(1_200_005)
  bob.disconnect()
  await expect.poll(() => [...ada.awareness.getStates().keys()]).toEqual([ada.doc.clientID])
  for (let index = 0; index < 1000; index++) bob.doc.getText('body').insert(index, 'y')
  bob.doc.getText('body').delete(0, 500)
  expect(bob.unsyncedChanges).toBe(1001)
  bob.connect()
  await bob.whenSaved()
  await expect.poll(() => ada.doc.getText('body').length).toBe(1_200_505)
  await documents.compact('draft')
  const late = open(url, { socketIo: {} })
  const progress: number[] = []
  late.on('progress', ({ received, total }) => progress.push(received / total))
  await late.whenSynced
  expect(progress[0]).toBe(0)
  expect(progress.at(-1)).toBe(1)
  expectEqualDocuments(late.doc, ada.doc)
  expect(late.unsyncedChanges).toBe(0)
})

test('T26 two Y.Docs of one document on one socket see each other’s edits', async () => {
  const { url } = await startHere()
  const first = open(url)
  const second = open(url)
  expect(first.connection).toBe(second.connection)
  await Promise.all([first.whenSynced, second.whenSynced])
  first.doc.getText('body').insert(0, 'a')
  await expect.poll(() => second.doc.getText('body').toJSON()).toBe('a')
  second.doc.getText('body').insert(1, 'b')
  await expect.poll(() => first.doc.getText('body').toJSON()).toBe('ab')
  first.destroy()
  second.doc.getText('body').insert(2, 'c')
  await second.whenSaved()
})

test('T22 with WebSocket blocked everything goes over polling', async () => {
  const { url } = await startHere()
  const ada = open(url, { socketIo: { transports: ['polling'] } })
  const bob = open(url, { socketIo: { transports: ['polling'] } })
  await Promise.all([ada.whenSynced, bob.whenSynced])
  ada.doc.getText('body').insert(0, 'x'.repeat(1_200_000))
  await ada.whenSaved()
  await expect.poll(() => bob.doc.getText('body').length).toBe(1_200_000)
})

test('T22 T51 over long polling everybody has the same permissions', async () => {
  const server = await startServer(await tempDirectory(), {
    authenticate: ({ auth }) => ({ id: String(auth['token']) }),
    authorize: (user) =>
      user?.id === 'writer' ? 'write' : user?.id === 'reader' ? 'read' : 'none',
  })
  onTestFinished(() => server.close())
  const as = (token: string): SocketIOProvider =>
    open(server.url, { token, socketIo: { transports: ['polling'] } })
  const [writer, reader, stranger] = [as('writer'), as('reader'), as('stranger')]
  await expect(stranger.whenSynced).rejects.toMatchObject({ code: 'forbidden' })
  await Promise.all([writer.whenSynced, reader.whenSynced])
  writer.doc.getText('body').insert(0, 'written')
  await writer.whenSaved()
  await expect.poll(() => reader.doc.getText('body').toJSON()).toBe('written')
  reader.doc.getText('body').insert(0, 'not to be ')
  await expect(reader.whenSaved()).rejects.toMatchObject({ code: 'read-only' })
  expect(reader.saveState).toBe('rejected')
  expect(writer.doc.getText('body').toJSON()).toBe('written')
})

test('T56 a server that is not there yet is found when it comes, and after it went', async () => {
  const directory = await tempDirectory()
  const first = await startServer(directory)
  const port = Number(new URL(first.url).port)
  const provider = open(first.url, { maxBackoffTime: 200 })
  await provider.whenSynced
  await first.close()
  await expect.poll(() => provider.status).not.toBe('connected')
  provider.doc.getText('body').insert(0, 'typed without a server')
  expect(provider.saveState).toBe('unsaved')
  const second = await startServer(directory, {}, port)
  onTestFinished(() => second.close())
  await provider.whenSaved()
  const reader = open(second.url, { socketIo: {} })
  await reader.whenSynced
  expect(reader.doc.getText('body').toJSON()).toBe('typed without a server')
})
