import { describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { levelStorage } from 'y-rooms/server'
import { systemClock, type Clock } from '../../src/clock.ts'
import { gatedStorage } from '../support/gated-storage.ts'
import { RawClient, loadDocument, updateOf } from '../support/raw-client.ts'
import { startServer } from '../support/running-server.ts'
import { tempDirectory } from '../support/temp-directory.ts'
import { POSSIBLE_TRANSPORTS } from '../support/transport.ts'

/** A document with some entries, and somebody in it. */
/** The bounds of closing, which are seconds, are minutes: what is shown here is not that they hold. */
const patientClock: Clock = {
  ...systemClock,
  setTimer: (delayMs, callback) =>
    systemClock.setTimer(delayMs < 1000 ? delayMs : delayMs * 100, callback),
}

async function scene(pieces: readonly string[], transports?: string[]) {
  const storage = gatedStorage(levelStorage(await tempDirectory()))
  const server = await startServer(storage, {
    recentBytes: 0,
    closeTimeoutMs: 120_000,
    clock: patientClock,
  })
  onTestFinished(() => server.close())
  const connect = async (): Promise<RawClient> => {
    const client = await RawClient.connect(server.url, {}, transports)
    onTestFinished(() => client.close())
    return client
  }
  const client = await connect()
  const doc = new Y.Doc()
  const { document, epoch } = await client.join('draft', { clientId: doc.clientID })
  const write = async (text: string) =>
    client.update(
      document,
      updateOf(doc, () => doc.getText('body').insert(0, text)),
    )
  for (const piece of pieces) expect((await write(piece)).ok).toBe(true)
  return { server, storage, client, connect, doc, document, epoch, write }
}

describe('pulling', () => {
  test('[PULL1] a page has about one chunk, at least one entry, and leads to the head', async () => {
    const large = 'x'.repeat(200_000)
    const { client, document, epoch } = await scene([large, large, large + large, 'small'])
    const seqs: number[] = []
    const copy = new Y.Doc()
    for (let after = 0; after < 4;) {
      const page = await client.pull(document, { epoch, after })
      if (!page.ok) throw new Error(page.code)
      for (const update of page.updates) Y.applyUpdate(copy, new Uint8Array(update))
      seqs.push((after = page.seq))
    }
    expect(seqs).toEqual([1, 2, 3, 4])
    expect(copy.getText('body')).toHaveLength(800_005)
    expect(await client.pull(document, { epoch, after: 4 })).toEqual({
      ok: true,
      seq: 4,
      updates: [],
    })
  })

  test('[PULL2] what cannot be given is refused with a code that says why', async () => {
    const { server, client, document, epoch, write } = await scene(['a', 'b', 'c'])
    const refused = async (request: Parameters<RawClient['pull']>[1]) => {
      const answer = await client.pull(document, request)
      return answer.ok ? 'given' : `${answer.code} ${answer.retry}`
    }
    expect(await refused({ epoch, after: 4 })).toBe('cursor-too-old resync')
    expect(await refused({ epoch: 'another', after: 0 })).toBe('document-reset never')
    // Entries are kept until the second snapshot after them.
    for (let snapshots = 0; snapshots < 2; snapshots++) {
      await write('more')
      await server.documents.compact('draft')
    }
    expect(await refused({ epoch, after: 0 })).toBe('cursor-too-old resync')
    expect(await refused({ epoch, snapshot: 1, chunk: 0 })).toBe('snapshot-replaced resync')
    expect(await refused({ epoch, snapshot: 5, chunk: 7 })).toBe('snapshot-replaced resync')
    expect(await refused({ epoch, snapshot: 5, chunk: 0 })).toBe('given')
  })

  test('[PULL3] who reads a snapshot finishes it, though a newer one takes its place meanwhile', async () => {
    const { server, connect, doc, write } = await scene(['x'.repeat(600_000)])
    await server.documents.compact('draft')
    const reader = await connect()
    const { snapshot, document, epoch } = await reader.join('draft', { clientId: 1 })
    await write('late')
    await server.documents.compact('draft')
    const chunks: Uint8Array[] = []
    for (let chunk = 0; chunk * snapshot!.chunkBytes < snapshot!.bytes; chunk++) {
      const pulled = await reader.pull(document, { epoch, snapshot: snapshot!.seq, chunk })
      if (!pulled.ok) throw new Error(pulled.code)
      chunks.push(...pulled.updates)
    }
    const copy = new Y.Doc()
    Y.applyUpdate(copy, Buffer.concat(chunks))
    await reader.until(() => reader.updates.length > 0)
    for (const { update } of reader.updates) Y.applyUpdate(copy, update)
    expect(copy.getText('body').toJSON()).toBe(doc.getText('body').toJSON())
  })

  test('[JOIN10] a newcomer gets the bytes of the snapshot as they are stored', async () => {
    const { server, storage, connect, doc } = await scene(['some ', 'text '])
    await server.documents.compact('draft')
    const name = 'draft' as Parameters<typeof storage.head>[0]
    const { epoch, snapshot } = await storage.head(name)
    const stored = await storage.readSnapshotChunk(name, epoch, snapshot!.seq, 0)
    const newcomer = await connect()
    const { updates } = await newcomer.join('draft', { clientId: 1 })
    expect(updates.map((update) => new Uint8Array(update))).toEqual([new Uint8Array(stored!)])
    const { length } = (await loadDocument(await connect(), 'draft')).getText('body')
    expect(length).toBe(doc.getText('body').length)
  })

  test('[JOIN11] joining again with the same client id brings up to date and makes no second membership', async () => {
    const { client, document, epoch, doc, connect, write } = await scene(['a'])
    const other = await connect()
    const theirs = await loadDocument(other, 'draft')
    await other.update(
      document,
      updateOf(theirs, () => theirs.getText('body').insert(1, '!')),
    )
    const again = await client.join('draft', { clientId: doc.clientID, epoch, seq: 1 })
    expect([again.document, again.seq, again.head, again.updates.length]).toEqual([
      document,
      2,
      2,
      1,
    ])
    await write('b')
    expect(await client.leave(document, doc.clientID)).toEqual({ ok: true })
    expect(await write('c')).toMatchObject({ code: 'not-joined' })
  })

  test('[CLOSE1] closing waits for updates under way, and refuses new requests meanwhile', async () => {
    const { server, storage, client, write } = await scene(['a'])
    const writing = storage.hold('append')
    const underWay = write('on its way')
    await writing
    const closing = server.documents.close()
    expect(server.documents.close()).toBe(closing)
    expect(await client.tryJoin('other', { clientId: 1 })).toMatchObject({
      code: 'server-closing',
      retry: 'backoff',
    })
    expect(client.closed).toEqual([])
    storage.release('append')
    expect(await underWay).toEqual({ ok: true, seq: 2, entry: true })
    await closing
    await client.until(() => !client.socket.connected)
  })

  for (const transport of POSSIBLE_TRANSPORTS)
    test(`[CLOSE2] over ${transport}, the last acknowledgements and the reasons reach a client before its connection ends`, async () => {
      const { server, storage, client, doc } = await scene(['a'], [transport])
      const documents: number[] = []
      for (let number = 0; number < 20; number++)
        documents.push((await client.join(`draft ${number}`, { clientId: doc.clientID })).document)
      const writing = storage.hold('append')
      const whole = Y.encodeStateAsUpdate(doc)
      const answers = documents.map((document) => client.update(document, whole))
      await writing
      const closing = server.documents.close()
      storage.release('append')
      // Those that came while it was closing are refused; nobody is left without an answer.
      const codes = (await Promise.all(answers)).map((answer) => (answer.ok ? 'ok' : answer.code))
      expect(codes).toContain('ok')
      expect(codes.filter((code) => code !== 'ok' && code !== 'server-closing')).toEqual([])
      await closing
      await client.until(() => !client.socket.connected)
      expect(client.closed.map(({ code }) => code)).toEqual(
        Array.from({ length: 21 }, () => 'server-closing'),
      )
    })

  test('T9 [CLOSE1] who left the document while his update was on its way to the disk is told of it before the server has closed', async () => {
    const { server, storage, client, doc, document } = await scene([])
    const held = storage.hold('append')
    const answer = client.update(
      document,
      updateOf(doc, () => doc.getText('body').insert(0, 'late')),
    )
    await held
    expect(await client.request('leave', document, doc.clientID)).toMatchObject({ ok: true })
    const closed = server.close()
    storage.release('append')
    expect(await answer).toMatchObject({ ok: true, seq: 1 })
    await closed
  })
})
