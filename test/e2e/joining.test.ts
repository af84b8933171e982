import { cp } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { SocketIOProvider } from 'y-rooms/client'
import { levelStorage, StorageError, type Storage } from 'y-rooms/server'
import { expectEqualDocuments } from '../support/equal-documents.ts'
import {
  RawClient,
  applyJoin,
  loadDocument,
  readDocument,
  updateOf,
} from '../support/raw-client.ts'
import { startServer, type RunningServer } from '../support/running-server.ts'
import { decodePresence, encodePresence } from '../support/awareness-message.ts'
import { makeTempDirectory, removeDirectory } from '../support/temp-directory.ts'

let directory: string
let server: RunningServer
const clients: RawClient[] = []

async function connect(): Promise<RawClient> {
  const client = await RawClient.connect(server.url)
  clients.push(client)
  return client
}

beforeEach(async () => {
  directory = await makeTempDirectory()
  server = await startServer(directory)
})

afterEach(async () => {
  for (const client of clients.splice(0)) client.close()
  await server.close()
  await removeDirectory(directory)
})

async function writeText(name: string, text: string): Promise<Y.Doc> {
  const client = await connect()
  const doc = await loadDocument(client, name)
  const { document } = await client.join(name, { clientId: doc.clientID })
  const answer = await client.update(
    document,
    updateOf(doc, () => doc.getText('body').insert(0, text)),
  )
  expect(answer.ok).toBe(true)
  client.close()
  return doc
}

describe('joining', () => {
  test('T1 [JOIN1] four clients join a cold document at the same moment: one document, all see all edits', async () => {
    await writeText('cold', 'before')
    await server.close()
    server = await startServer(directory)
    const four = await Promise.all([connect(), connect(), connect(), connect()])
    const docs = four.map(() => new Y.Doc())
    const answers = await Promise.all(
      four.map((client, index) => client.join('cold', { clientId: docs[index]!.clientID })),
    )
    // One instance has one handle.
    expect(new Set(answers.map((answer) => answer.document)).size).toBe(1)
    for (const [index, client] of four.entries())
      await applyJoin(client, docs[index]!, answers[index]!)
    await Promise.all(
      four.map((client, index) =>
        client.update(
          answers[index]!.document,
          updateOf(docs[index]!, (doc) => doc.getMap('keys').set(`client-${index}`, index)),
        ),
      ),
    )
    for (const [index, client] of four.entries()) {
      // Everything up to the head, or all but the own entry.
      await client.until(() => {
        for (const { update } of client.updates) Y.applyUpdate(docs[index]!, update)
        return docs[index]!.getMap('keys').size === 4
      })
      expect(docs[index]!.getText('body').toString()).toBe('before')
    }
    expectEqualDocuments(await readDocument(server.url, 'cold'), docs[0]!)
  })

  test('T2 leaving during the load and rejoining while the document unloads loses no edit', async () => {
    await server.close()
    server = await startServer(directory, { idleUnloadMs: 0 })
    const doc = new Y.Doc()
    for (let round = 0; round < 20; round++) {
      const leaver = await connect()
      // Gone before the answer can arrive: its session must not stay.
      void leaver.tryJoin('restless', { clientId: 1 }).catch(() => undefined)
      leaver.close()
      const client = await connect()
      const { document } = await client.join('restless', { clientId: doc.clientID })
      const answer = await client.update(
        document,
        updateOf(doc, () => doc.getText('body').insert(0, `${round} `)),
      )
      expect(answer).toMatchObject({ ok: true, seq: round + 1 })
      client.close()
    }
    expectEqualDocuments(await readDocument(server.url, 'restless'), doc)
  })

  test('T3 [JOIN3] updates between the state and the first relay reach each joiner exactly once in effect', async () => {
    const writer = await connect()
    const doc = new Y.Doc()
    const { document } = await writer.join('busy', { clientId: doc.clientID })
    let typed = 0
    let isTyping = true
    const typing = (async () => {
      while (isTyping) {
        const change = updateOf(doc, () => doc.getText('body').insert(typed, 'x'))
        typed++
        expect((await writer.update(document, change)).ok).toBe(true)
      }
    })()
    const joined: { client: RawClient; copy: Y.Doc; seq: number }[] = []
    for (let index = 0; index < 20; index++) {
      const client = await connect()
      const copy = new Y.Doc()
      const answer = await client.join('busy', { clientId: copy.clientID })
      await applyJoin(client, copy, answer)
      joined.push({ client, copy, seq: answer.head })
    }
    isTyping = false
    await typing
    for (const { client, copy, seq } of joined) {
      let reached = seq
      await client.until(() => {
        for (const relayed of client.updates.splice(0)) {
          // No hole between what the answer held and what is relayed.
          expect(relayed.from).toBeLessThanOrEqual(reached + 1)
          reached = Math.max(reached, relayed.to)
          Y.applyUpdate(copy, relayed.update)
        }
        return reached === typed
      })
      expectEqualDocuments(copy, doc)
    }
  })

  test('T6 [LOG4] a write that arrives while a snapshot is made survives the unload that follows', async () => {
    await server.close()
    server = await startServer(directory, { idleUnloadMs: 0, compactAfterEntries: 1_000_000 })
    const client = await connect()
    const doc = new Y.Doc()
    const { document } = await client.join('folding', { clientId: doc.clientID })
    for (let index = 0; index < 50; index++)
      await client.update(
        document,
        updateOf(doc, () => doc.getText('body').insert(0, `${index} `)),
      )
    const folding = server.documents.compact('folding')
    const late = client.update(
      document,
      updateOf(doc, () => doc.getText('body').insert(0, 'late ')),
    )
    await Promise.all([folding, late])
    expect(await late).toMatchObject({ ok: true, seq: 51 })
    expect(server.errors).toEqual([])
    client.close()
    await server.close()
    server = await startServer(directory)
    expectEqualDocuments(await readDocument(server.url, 'folding'), doc)
  })

  test('T11 [JOIN2] an error while loading is refused with a retry, never answered with an empty document', async () => {
    await writeText('precious', 'content')
    await server.close()
    let isBroken = true
    const real = levelStorage(directory)
    const broken: Storage = new Proxy(real, {
      get(target, property: keyof Storage) {
        if (property === 'readEntries' && isBroken)
          return () => Promise.reject(new StorageError('storage-unavailable', 'the disk is away'))
        const member = target[property]
        return typeof member === 'function' ? member.bind(target) : member
      },
    })
    server = await startServer(broken)
    const client = await connect()
    expect(await client.tryJoin('precious', { clientId: 1 })).toMatchObject({
      ok: false,
      code: 'storage-unavailable',
      retry: 'backoff',
    })
    isBroken = false
    const doc = await loadDocument(client, 'precious')
    expect(doc.getText('body').toString()).toBe('content')
  })

  test('T12 [LOG5] [ACK3] a client that returns with everything known writes nothing', async () => {
    const doc = await writeText('known', 'hello world')
    const client = await connect()
    const first = await client.join('known', {
      clientId: doc.clientID,
      stateVector: Y.encodeStateVector(doc),
    })
    const head = first.head
    const answer = await client.update(first.document, Y.encodeStateAsUpdate(doc))
    expect(answer).toEqual({ ok: true, seq: head, entry: false })
    // A deletion is news although the state vector does not change…
    const deletion = updateOf(doc, () => doc.getText('body').delete(0, 5))
    expect(await client.update(first.document, deletion)).toEqual({
      ok: true,
      seq: head + 1,
      entry: true,
    })
    // …and is none the second time.
    expect(await client.update(first.document, deletion)).toEqual({
      ok: true,
      seq: head + 1,
      entry: false,
    })
    expect(await client.update(first.document, Y.encodeStateAsUpdate(doc))).toEqual({
      ok: true,
      seq: head + 1,
      entry: false,
    })
  })

  test('T13 [LOG3] an update with a hole is neither stored nor relayed, and resending in order heals', async () => {
    const [writer, watcher] = [await connect(), await connect()]
    const doc = new Y.Doc()
    const { document } = await writer.join('holes', { clientId: doc.clientID })
    await watcher.join('holes', { clientId: 1 })
    const [one, two, three] = ['a', 'b', 'c'].map((character, index) =>
      updateOf(doc, () => doc.getText('body').insert(index, character)),
    )
    expect(await writer.update(document, one!)).toMatchObject({ ok: true, seq: 1 })
    expect(await writer.update(document, three!)).toMatchObject({
      ok: false,
      code: 'missing-dependencies',
      retry: 'resync',
    })
    expect(await writer.update(document, two!)).toMatchObject({ ok: true, seq: 2 })
    expect(await writer.update(document, three!)).toMatchObject({ ok: true, seq: 3 })
    await watcher.until(() => watcher.updates.at(-1)?.to === 3)
    const copy = new Y.Doc()
    for (const { update } of watcher.updates) Y.applyUpdate(copy, update)
    expectEqualDocuments(copy, doc)
    expectEqualDocuments(await readDocument(server.url, 'holes'), doc)
  })

  test('T17 [JOIN5] a joiner with an equal state vector still learns of deletions', async () => {
    const doc = await writeText('deletions', 'hello')
    const stale = new Y.Doc()
    Y.applyUpdate(stale, Y.encodeStateAsUpdate(doc))
    const client = await connect()
    const { document } = await client.join('deletions', { clientId: doc.clientID })
    await client.update(
      document,
      updateOf(doc, () => doc.getText('body').delete(0, 5)),
    )
    expect(Y.encodeStateVector(stale)).toEqual(Y.encodeStateVector(doc))
    const returning = await connect()
    const answer = await returning.join('deletions', {
      clientId: stale.clientID,
      stateVector: Y.encodeStateVector(stale),
    })
    await applyJoin(returning, stale, answer)
    expectEqualDocuments(stale, doc)
    expect(stale.getText('body').toString()).toBe('')
  })

  test('[JOIN4] a cursor is answered with the entries after it', async () => {
    const doc = await writeText('cursor', 'one ')
    const client = await connect()
    const { document, epoch } = await client.join('cursor', { clientId: doc.clientID })
    const change = updateOf(doc, () => doc.getText('body').insert(4, 'two'))
    await client.update(document, change)
    const again = await client.join('cursor', { clientId: doc.clientID, epoch, seq: 1 })
    expect(again.updates.map((update) => new Uint8Array(update))).toEqual([change])
    const upToDate = await client.join('cursor', { clientId: doc.clientID, epoch, seq: 2 })
    expect(upToDate).toMatchObject({ seq: 2, head: 2, updates: [] })
  })

  test('[JOIN6] a client of another epoch is told, and gets and gives nothing', async () => {
    await writeText('reset', 'text')
    const client = await connect()
    expect(
      await client.tryJoin('reset', { clientId: 1, epoch: 'another-epoch', seq: 7 }),
    ).toMatchObject({ ok: false, code: 'document-reset', retry: 'never' })
  })

  test('[JOIN7] a large document arrives in chunks, before and after a restart', async () => {
    const client = await connect()
    const doc = new Y.Doc()
    const { document } = await client.join('large', { clientId: doc.clientID })
    for (let part = 0; part < 8; part++)
      await client.update(
        document,
        updateOf(doc, () => doc.getText('body').insert(0, `${part}`.repeat(150_000))),
      )
    expectEqualDocuments(await readDocument(server.url, 'large'), doc)
    await server.documents.compact('large')
    expect(server.errors).toEqual([])
    // What was written since belongs to it.
    await client.update(
      document,
      updateOf(doc, () => doc.getText('body').insert(0, 'after the snapshot ')),
    )
    const reader = await connect()
    const answer = await reader.join('large', { clientId: 1 })
    expect(answer.snapshot?.bytes).toBeGreaterThan(1_200_000)
    const copy = new Y.Doc()
    await applyJoin(reader, copy, answer)
    expectEqualDocuments(copy, doc)
    await server.close()
    server = await startServer(directory)
    expectEqualDocuments(await readDocument(server.url, 'large'), doc)
  })

  test('T26 [JOIN8] many documents on one socket; the same document twice; leaving one keeps the other', async () => {
    const client = await connect()
    const [left, right, other] = [new Y.Doc(), new Y.Doc(), new Y.Doc()]
    const first = await client.join('shared', { clientId: left.clientID })
    const second = await client.join('shared', { clientId: right.clientID })
    const third = await client.join('elsewhere', { clientId: other.clientID })
    expect(second.document).toBe(first.document)
    expect(third.document).not.toBe(first.document)
    // The other Y.Doc behind the same socket hears of the edit.
    const edit = updateOf(left, () => left.getText('body').insert(0, 'hi'))
    await client.update(first.document, edit)
    await client.until(() => client.updates.some((update) => update.document === first.document))
    expect(await client.leave(first.document, left.clientID)).toEqual({ ok: true })
    const stillThere = updateOf(right, () => right.getText('body').insert(0, 'still '))
    expect(await client.update(first.document, stillThere)).toMatchObject({ ok: true })
    expect(await client.leave(first.document, right.clientID)).toEqual({ ok: true })
    expect(await client.update(first.document, stillThere)).toMatchObject({ code: 'not-joined' })
    expect(
      await client.update(
        third.document,
        updateOf(other, () => other.getMap('m').set('k', 1)),
      ),
    ).toMatchObject({ ok: true })
  })

  test('T26 T45 [JOIN8] [PRES3] of two editors on one socket each hears the other, also when one leaves right after its edit', async () => {
    const client = await connect()
    const [left, right] = [new Y.Doc(), new Y.Doc()]
    const { document } = await client.join('pair', { clientId: left.clientID })
    await client.join('pair', { clientId: right.clientID })
    client.socket.emit(
      'awareness',
      document,
      encodePresence({ clientId: left.clientID, clock: 1, state: { here: true } }),
    )
    // Who comes and goes between two messages is never spoken of.
    await client.until(() => client.awareness.length > 0)
    await client.update(
      document,
      updateOf(left, () => left.getText('body').insert(0, 'last words')),
    )
    await client.leave(document, left.clientID)
    await client.until(() => client.updates.length > 0)
    Y.applyUpdate(right, client.updates[0]!.update)
    expect(right.getText('body').toString()).toBe('last words')
    await client.until(() =>
      client.awareness
        .flatMap(decodePresence)
        .some(({ clientId, state }) => clientId === left.clientID && state === null),
    )
  })

  test('[JOIN7] a large difference to a state vector comes in chunks, too', async () => {
    const client = await connect()
    const doc = new Y.Doc()
    const { document } = await client.join('difference', { clientId: doc.clientID })
    for (let part = 0; part < 4; part++)
      await client.update(
        document,
        updateOf(doc, () => doc.getText('body').insert(0, `${part}`.repeat(150_000))),
      )
    await server.documents.compact('difference')
    const stranger = new Y.Doc()
    stranger.getText('other').insert(0, 'typed before the first join')
    const answer = await client.join('difference', {
      clientId: stranger.clientID,
      stateVector: Y.encodeStateVector(stranger),
    })
    for (const update of answer.updates) expect(update.length).toBeLessThan(300_000)
    await applyJoin(client, stranger, answer)
    expect(stranger.getText('body').toString()).toBe(doc.getText('body').toString())
  })

  test('T14 [JOIN9] a server that lost its end and grew again is noticed, and both sides are whole again', async () => {
    const doc = new Y.Doc()
    const provider = new SocketIOProvider(server.url, 'restored', doc, { maxBackoffTime: 100 })
    await provider.whenSynced
    doc.getText('body').insert(0, 'kept ')
    await provider.whenSaved()
    const port = Number(new URL(server.url).port)
    await server.close()
    const backup = await makeTempDirectory()
    await cp(directory, backup, { recursive: true })
    server = await startServer(directory, {}, port)
    for (let index = 0; index < 5; index++) {
      doc.getText('body').insert(5, 'lost by the server ')
      await provider.whenSaved()
    }
    provider.disconnect()
    await server.close()

    server = await startServer(backup, {}, port)
    const other = await connect()
    const theirs = await loadDocument(other, 'restored')
    const { document } = await other.join('restored', { clientId: theirs.clientID })
    // As many entries as were lost, and more: the returning client's number now means something else.
    for (let index = 0; index < 10; index++)
      await other.update(
        document,
        updateOf(theirs, () => theirs.getText('body').insert(0, `new ${index} `)),
      )
    provider.connect()
    await new Promise<void>((resolve) => {
      provider.on('sync', (isSynced) => {
        if (isSynced) resolve()
      })
    })
    await provider.whenSaved()
    const stored = await readDocument(server.url, 'restored')
    expectEqualDocuments(stored, doc)
    expect(stored.getText('body').toString()).toContain('new 9 new 8')
    expect(stored.getText('body').toString()).toContain('lost by the server')
    provider.destroy()
    await removeDirectory(backup)
  })

  test('T18 [NAME1] names that trip others are names like any other', async () => {
    const client = await connect()
    const names = [
      'a',
      'ab',
      '__proto__',
      'constructor',
      'a/b',
      '../a',
      '\u00e4',
      'a\u0308',
      '日本 🎉',
      client.socket.id!,
      'x'.repeat(512),
      // Bytes are counted, not characters.
      '€'.repeat(170) + 'ab',
    ]
    for (const [index, name] of names.entries()) {
      const doc = new Y.Doc()
      const { document } = await client.join(name, { clientId: doc.clientID })
      const answer = await client.update(
        document,
        updateOf(doc, () => doc.getMap('m').set('index', index)),
      )
      expect(answer).toMatchObject({ ok: true, seq: 1 })
    }
    await server.close()
    server = await startServer(directory)
    for (const [index, name] of names.entries()) {
      const doc = await readDocument(server.url, name)
      expect(doc.getMap('m').toJSON()).toEqual({ index })
    }
    const late = await connect()
    const tooLong = ['x'.repeat(513), '€'.repeat(170) + 'abc']
    for (const name of ['', ...tooLong, 'a\u0000b', 'a\nb', '\ud800', 7, null, {}])
      expect(await late.tryJoin(name as string, { clientId: 1 })).toMatchObject({
        ok: false,
        code: 'invalid-document-name',
      })
  })
})
