import { expect, onTestFinished, describe, test } from 'vitest'
import * as Y from 'yjs'
import { SocketIOProvider, type ProviderOptions } from 'y-rooms/client'
import { levelStorage } from 'y-rooms/server'
import { expectEqualDocuments } from '../support/equal-documents.ts'
import { gatedStorage, type GatedStorage } from '../support/gated-storage.ts'
import { lossyNetwork } from '../support/lossy-network.ts'
import {
  RawClient,
  applyJoin,
  loadDocument,
  readDocument,
  updateOf,
} from '../support/raw-client.ts'
import { startServer, type RunningServer } from '../support/running-server.ts'
import { tempDirectory } from '../support/temp-directory.ts'

async function startHere(
  options: { relayIntervalMs?: number } = {},
): Promise<{ server: RunningServer; storage: GatedStorage }> {
  const storage = gatedStorage(levelStorage(await tempDirectory()))
  const server = await startServer(storage, options)
  onTestFinished(() => server.close())
  return { server, storage }
}

async function connect(url: string): Promise<RawClient> {
  const client = await RawClient.connect(url)
  onTestFinished(() => client.close())
  return client
}

function open(url: string, doc: Y.Doc, options: ProviderOptions = {}): SocketIOProvider {
  const provider = new SocketIOProvider(url, 'draft', doc, { maxBackoffTime: 100, ...options })
  onTestFinished(() => provider.destroy())
  return provider
}

/** Resolves when the document has this text, whoever brings it. */
function whenText(doc: Y.Doc, expected: string): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (doc.getText('body').toJSON() !== expected) return
      doc.off('update', look)
      resolve()
    }
    doc.on('update', look)
    look()
  })
}

describe('coming back', () => {
  test('T3 [JOIN3] what becomes durable while the state of a join is read is in the answer, or asked for, or relayed', async () => {
    const { server, storage } = await startHere()
    const writer = await connect(server.url)
    const doc = new Y.Doc()
    const type = (text: string): Uint8Array =>
      updateOf(doc, () => doc.getText('body').insert(doc.getText('body').length, text))
    const { document } = await writer.join('draft', { clientId: doc.clientID })
    await writer.update(document, type('one '))
    // Sees when the second entry is relayed.
    const watcher = await connect(server.url)
    await watcher.join('draft', { clientId: new Y.Doc().clientID })
    const stranger = new Y.Doc()
    stranger.getText('other').insert(0, 'only here')

    // A difference reads the log from the disk, and waits there.
    const reading = storage.hold('readEntries')
    const joiner = await connect(server.url)
    const joining = joiner.join('draft', {
      clientId: stranger.clientID,
      stateVector: Y.encodeStateVector(stranger),
    })
    await reading
    expect(await writer.update(document, type('two '))).toMatchObject({ seq: 2 })
    await watcher.until(() => watcher.updates.some(({ to }) => to === 2))
    storage.release('readEntries')
    const answer = await joining
    // The second entry was relayed before there was a session: the answer must say that it exists.
    expect([answer.seq, answer.head]).toEqual([1, 2])
    await applyJoin(joiner, stranger, answer)
    await writer.update(document, type('three'))
    await joiner.until(() => joiner.updates.length > 0)
    expect(joiner.updates[0]).toMatchObject({ from: 3, to: 3 })
    for (const { update } of joiner.updates) Y.applyUpdate(stranger, update)
    expect(stranger.getText('body').toJSON()).toBe('one two three')
  })

  test('T12 [LOG5] an idle provider that comes back, or anew with the same content, causes no write', async () => {
    const { server, storage } = await startHere()
    const doc = new Y.Doc()
    const first = open(server.url, doc)
    await first.whenSynced
    doc.getText('body').insert(0, 'hello world')
    await first.whenSaved()
    // A state vector does not show this one; the comparison must.
    doc.getText('body').delete(0, 6)
    await first.whenSaved()
    const writes = storage.calls.append
    expect(writes).toBe(2)

    first.disconnect()
    first.connect()
    await first.whenSynced
    await first.whenSaved()
    first.destroy()
    const copy = new Y.Doc()
    Y.applyUpdate(copy, Y.encodeStateAsUpdate(doc))
    for (const content of [doc, copy]) {
      const again = open(server.url, content)
      await again.whenSynced
      await again.whenSaved()
      again.destroy()
    }
    expect(storage.calls.append).toBe(writes)

    // The same with a deletion that the server does not have: it is news, and written.
    copy.getText('body').delete(0, 1)
    const last = open(server.url, copy)
    await last.whenSynced
    await last.whenSaved()
    expect(storage.calls.append).toBe(writes + 1)
    expectEqualDocuments(await readDocument(server.url, 'draft'), copy)
  })

  test('T13 T29 [LOG3] an update that is lost on the way up leaves a hole; the client is told, and both sides are equal', async () => {
    const { server } = await startHere()
    const watcher = await connect(server.url)
    const seen = await loadDocument(watcher, 'draft')
    const { network, losses } = lossyNetwork()
    const doc = new Y.Doc()
    const provider = open(server.url, doc, { network })
    await provider.whenSynced
    doc.getText('body').insert(0, 'a')
    await provider.whenSaved()
    const codes: string[] = []
    provider.on('error', ({ code }) => codes.push(code))
    let lost = 0
    losses.losesRequest = (name) => name === 'update' && lost++ === 0
    doc.getText('body').insert(1, 'b')
    await new Promise((resolve) => setImmediate(resolve))
    expect(lost).toBe(1)
    doc.getText('body').insert(2, 'c')
    await provider.whenSaved()
    expect(codes).toEqual(['missing-dependencies'])
    await watcher.until(() => {
      for (const { update } of watcher.updates) Y.applyUpdate(seen, update)
      // Nobody was ever given the third without the second.
      expect(seen.store.pendingStructs).toBeNull()
      return seen.getText('body').toJSON() === 'abc'
    })
    expectEqualDocuments(await readDocument(server.url, 'draft'), doc)
    expectEqualDocuments(seen, doc)
  })

  test('T29 relays that are lost on the way down are noticed by the next one, and read from the log', async () => {
    // Every entry is a message of its own.
    const { server } = await startHere({ relayIntervalMs: 0 })
    const { network, losses } = lossyNetwork()
    const [ada, ben] = [new Y.Doc(), new Y.Doc()]
    const writer = open(server.url, ada, { socketIo: {} })
    const reader = open(server.url, ben, { network })
    await Promise.all([writer.whenSynced, reader.whenSynced])
    const lost: number[] = []
    losses.losesRelay = (from, to) => {
      if (to > 3) return false
      for (let seq = from; seq <= to; seq++) lost.push(seq)
      return true
    }
    for (const letter of ['a', 'b', 'c']) {
      ada.getText('body').insert(ada.getText('body').length, letter)
      await writer.whenSaved()
    }
    ada.getText('body').delete(0, 1)
    await whenText(ben, 'bc')
    expect(lost).toEqual([1, 2, 3])
    expectEqualDocuments(ben, ada)
    // An acknowledgement says as much as a relay: what was lost before it is read, too.
    losses.losesRelay = (_from, to) => to === 5
    ada.getText('body').insert(2, 'd')
    await writer.whenSaved()
    ben.getText('body').insert(0, '!')
    await reader.whenSaved()
    await whenText(ben, '!bcd')
    await whenText(ada, '!bcd')
    expectEqualDocuments(ben, ada)
  })

  test('T14 [JOIN6] a server with another history of the same name tells its clients, and nothing is doubled', async () => {
    const directory = await tempDirectory()
    const first = await startServer(directory)
    const port = Number(new URL(first.url).port)
    const doc = new Y.Doc()
    const provider = open(first.url, doc)
    await provider.whenSynced
    doc.getText('body').insert(0, 'the text')
    await provider.whenSaved()
    await first.close()
    doc.getText('body').insert(0, 'unsent: ')

    // The same text once more, imported into a fresh database: to Yjs it is another one.
    const second = await startServer(await tempDirectory(), {}, port)
    onTestFinished(() => second.close())
    const imported = new Y.Doc()
    const importer = await connect(second.url)
    const { document } = await importer.join('draft', { clientId: imported.clientID })
    await importer.update(
      document,
      updateOf(imported, () => imported.getText('body').insert(0, 'the text')),
    )
    await expect(provider.whenSaved()).rejects.toMatchObject({ code: 'document-reset' })
    expect(doc.getText('body').toJSON()).toBe('unsent: the text')
    const stored = await readDocument(second.url, 'draft')
    expect(stored.getText('body').toJSON()).toBe('the text')
    expectEqualDocuments(stored, imported)
  })
})
