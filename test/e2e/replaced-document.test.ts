import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import 'fake-indexeddb/auto'
import { IndexedDBPersistence, SocketIOProvider } from 'y-rooms/client'
import { deleteDocument } from '../support/delete-document.ts'
import { readDocument } from '../support/raw-client.ts'
import { startServer } from '../support/running-server.ts'
import { tempDirectory } from '../support/temp-directory.ts'

test('T15 [JOIN6] a document that is deleted and made anew while a client is offline: one final error, the unsent edits kept aside, nothing merged', async () => {
  const server = await startServer(await tempDirectory())
  onTestFinished(() => server.close())
  const open = (doc: Y.Doc): SocketIOProvider => {
    const provider = new SocketIOProvider(server.url, 'draft', doc, { maxBackoffTime: 100 })
    onTestFinished(() => provider.destroy())
    return provider
  }
  const offline = open(new Y.Doc())
  await offline.whenSynced
  offline.doc.getText('body').insert(0, 'old text')
  await offline.whenSaved()
  offline.disconnect()
  const saved = new Y.Doc()
  Y.applyUpdate(saved, Y.encodeStateAsUpdate(offline.doc))
  offline.doc.getText('body').insert(0, 'unsent: ')

  await deleteDocument(server.documents, 'draft')
  const next = open(new Y.Doc())
  await next.whenSynced
  next.doc.getText('body').insert(0, 'new text')
  await next.whenSaved()

  const codes: string[] = []
  offline.on('error', ({ code }) => codes.push(code))
  offline.connect()
  await expect(offline.whenSynced).rejects.toMatchObject({
    code: 'document-reset',
    permanent: true,
  })
  expect([offline.shouldConnect, offline.saveState]).toEqual([false, 'unsaved'])

  expect((await readDocument(server.url, 'draft')).getText('body').toJSON()).toBe('new text')
  expect([next.doc.getText('body').toJSON(), codes]).toEqual(['new text', ['document-reset']])
  Y.applyUpdate(saved, offline.pendingUpdate()!)
  expect(saved.getText('body').toJSON()).toBe('unsent: old text')
})

test('T15 [SYNC8] whoever listens to reload goes on with a new Y.Doc: the unsent edits are handed over as bytes, the old Y.Doc is left alone, presence moves', async () => {
  const server = await startServer(await tempDirectory())
  onTestFinished(() => server.close())
  const open = (doc: Y.Doc): SocketIOProvider => {
    const provider = new SocketIOProvider(server.url, 'draft', doc, { maxBackoffTime: 100 })
    onTestFinished(() => provider.destroy())
    return provider
  }
  const old = new Y.Doc()
  const provider = open(old)
  provider.awareness.setLocalStateField('user', { name: 'Ada' })
  await provider.whenSynced
  old.getText('body').insert(0, 'old text')
  await provider.whenSaved()
  const saved = new Y.Doc()
  Y.applyUpdate(saved, Y.encodeStateAsUpdate(old))
  provider.disconnect()
  old.getText('body').insert(0, 'unsent: ')

  await deleteDocument(server.documents, 'draft')
  const other = open(new Y.Doc())
  await other.whenSynced
  other.doc.getText('body').insert(0, 'new text')
  await other.whenSaved()

  const codes: string[] = []
  provider.on('error', ({ code }) => codes.push(code))
  const reset = new Promise<{ document: Y.Doc; update: Uint8Array | null }>((resolve) =>
    provider.once('document-reset', resolve),
  )
  const reloaded = new Promise<Y.Doc>((resolve) => provider.once('reload', resolve))
  provider.connect()
  const { document, update } = await reset
  const fresh = await reloaded
  expect([document === old, provider.doc === fresh, fresh === old]).toEqual([true, true, false])
  Y.applyUpdate(saved, update!)
  expect(saved.getText('body').toJSON()).toBe('unsent: old text')

  await provider.whenSynced
  expect([fresh.getText('body').toJSON(), provider.saveState]).toEqual(['new text', 'saved'])
  fresh.getText('body').insert(0, 'and ')
  await provider.whenSaved()
  // What is typed into the old one is nobody's concern any more.
  old.getText('body').insert(0, 'ghost ')
  expect(provider.unsyncedChanges).toBe(0)
  expect((await readDocument(server.url, 'draft')).getText('body').toJSON()).toBe('and new text')
  await expect
    .poll(() => other.awareness.getStates().get(fresh.clientID))
    .toMatchObject({ user: { name: 'Ada' } })
  expect(other.awareness.getStates().has(old.clientID)).toBe(false)
  expect(codes).toEqual(['document-reset'])
  // The old one may go: neither the provider nor its presence ends with it.
  old.destroy()
  expect([provider.status, provider.awareness.getLocalState()]).toEqual([
    'connected',
    { user: { name: 'Ada' } },
  ])
})

test('T15 [SYNC8] with a copy on the device: the old bytes are set aside, and the next page begins with the new history', async () => {
  const server = await startServer(await tempDirectory())
  onTestFinished(() => server.close())
  const options = {
    maxBackoffTime: 100,
    persistence: (name: string, doc: Y.Doc) => new IndexedDBPersistence(name, doc),
  }
  const open = (): SocketIOProvider => {
    const provider = new SocketIOProvider(server.url, 'kept', new Y.Doc(), options)
    onTestFinished(() => provider.destroy())
    return provider
  }
  const provider = open()
  await provider.whenSynced
  provider.doc.getText('body').insert(0, 'old text')
  await provider.whenSaved()
  provider.disconnect()
  provider.doc.getText('body').insert(0, 'unsent: ')
  await deleteDocument(server.documents, 'kept')
  const reloaded = new Promise<Y.Doc>((resolve) => provider.once('reload', resolve))
  provider.connect()
  const fresh = await reloaded
  await provider.whenSynced
  expect(fresh.getText('body').toJSON()).toBe('')
  fresh.getText('body').insert(0, 'new text')
  await provider.whenSaved()
  const copies = await (provider.persistence as IndexedDBPersistence).asideCopies()
  expect(copies).toHaveLength(1)
  const { persistence } = provider
  provider.destroy()
  // Once what waits is stored.
  await persistence?.destroy()

  const next = open()
  await next.whenLocalSynced
  expect(next.doc.getText('body').toJSON()).toBe('new text')
  await next.whenSynced
  expect((await readDocument(server.url, 'kept')).getText('body').toJSON()).toBe('new text')
})
