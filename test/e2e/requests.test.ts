import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { expectEqualDocuments } from '../support/equal-documents.ts'
import { RawClient, loadDocument, readDocument, updateOf } from '../support/raw-client.ts'
import { startServer, type RunningServer } from '../support/running-server.ts'
import { makeTempDirectory } from '../support/temp-directory.ts'

let server: RunningServer
const failures: unknown[] = []
const keep = (error: unknown): number => failures.push(error)

beforeAll(async () => {
  server = await startServer(await makeTempDirectory())
  process.on('uncaughtException', keep)
  process.on('unhandledRejection', keep)
})

afterAll(async () => {
  await server.close()
  process.off('uncaughtException', keep)
  process.off('unhandledRejection', keep)
})

describe('requests from a stranger', () => {
  const values: unknown[] = [
    undefined,
    null,
    true,
    -1,
    1.5,
    '',
    'text',
    [],
    {},
    { document: 'd' },
    { document: 'd', clientId: 'x', key: 'k'.repeat(16) },
    { document: 'd', clientId: 1, key: 'short' },
    { document: 'd', clientId: 1, key: 'k'.repeat(16), seq: 3 },
    { document: 'd', clientId: 1, key: 'k'.repeat(16), stateVector: Buffer.from([255, 255]) },
    { epoch: 'e', after: -1 },
    { epoch: 'e', after: 1, snapshot: 1, chunk: 0 },
    { upload: 1, offset: 0, size: 2 ** 50 },
    { upload: 'x' },
    Buffer.alloc(0),
    Buffer.from([1, 2, 3]),
  ]

  test('T27 [REQ1] wrong, missing and extra arguments, before a join and after: a code or silence, and the process lives', async () => {
    const client = await RawClient.connect(server.url)
    const joined = await client.join('target', { clientId: 5 })
    for (const event of [
      'join',
      'update',
      'chunk',
      'awareness',
      'pull',
      'leave',
      'no-such-event',
    ]) {
      for (const first of [...values, joined.document, 99_999]) {
        for (const second of values) {
          client.socket.emit(event, first, second)
          client.socket.emit(event, first, second, () => undefined, 'after the acknowledgement')
          if (event !== 'no-such-event') {
            const answer = await client.request<{ ok: true }>(event, first, second)
            expect(typeof answer.ok).toBe('boolean')
            if (!answer.ok) expect(answer.code).not.toBe('internal-error')
          }
          if (event === 'leave' && first === joined.document)
            await client.join('target', { clientId: 5 })
        }
      }
      client.socket.emit(event)
      expect((await client.request<{ ok: true }>('join')).ok).toBe(false)
    }
    const doc = await loadDocument(client, 'target')
    expect(doc.store.clients.size).toBe(0)
    client.close()
    expect(failures).toEqual([])
  })

  test('T27 [REQ2] updates before the join and after leaving are refused with not-joined', async () => {
    const client = await RawClient.connect(server.url)
    const doc = new Y.Doc()
    const update = updateOf(doc, () => doc.getText('body').insert(0, 'x'))
    const refused = { ok: false, code: 'not-joined', retry: 'resync' }
    expect(await client.update(1, update)).toMatchObject(refused)
    const { document } = await client.join('left', { clientId: doc.clientID })
    await client.leave(document, doc.clientID)
    expect(await client.update(document, update)).toMatchObject(refused)
    client.close()
  })

  test('T30 [REQ3] hostile bytes are refused with a code; the document and its readers are unchanged', async () => {
    const [attacker, reader] = [
      await RawClient.connect(server.url),
      await RawClient.connect(server.url),
    ]
    const doc = new Y.Doc()
    const { document } = await attacker.join('hostile', { clientId: doc.clientID })
    await reader.join('hostile', { clientId: 2 })
    const good = updateOf(doc, () => doc.getText('body').insert(0, 'good text'))
    await attacker.update(document, good)
    await reader.until(() => reader.updates.length === 1)

    const full = updateOf(doc, () => {
      doc.getMap('map').set('key', { nested: [1, 'two', null] })
      doc.getText('body').delete(0, 4)
      doc.getArray('list').push([new Uint8Array([1, 2, 3])])
    })
    const hostile: Uint8Array[] = [
      new Uint8Array(0),
      Y.convertUpdateFormatV1ToV2(full),
      new Uint8Array([...full, 0]),
      // 30 million structs announced in 7 bytes: a Y.Doc allocates 232 MB for it.
      new Uint8Array([1, 0x80, 0x87, 0xa7, 0x0e, 1, 0]),
      // A GC run of 2^40 for another client's id.
      new Uint8Array([1, 1, 77, 0, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20, 0]),
    ]
    for (let length = 1; length < full.length; length++) hostile.push(full.slice(0, length))
    for (const bytes of hostile) {
      const answer = await attacker.update(document, bytes)
      expect(answer).toMatchObject({ ok: false })
      if (!answer.ok) expect(['malformed-update', 'missing-dependencies']).toContain(answer.code)
    }
    const corpus = JSON.parse(
      readFileSync(new URL('../fixtures/hostile-updates.json', import.meta.url), 'utf8'),
    ) as unknown
    expect(Array.isArray(corpus) || typeof corpus === 'object').toBe(true)

    expect(await attacker.update(document, full)).toMatchObject({ ok: true, seq: 2 })
    await reader.until(() => reader.updates.at(-1)?.to === 2)
    const copy = new Y.Doc()
    for (const { update } of reader.updates) Y.applyUpdate(copy, update)
    expectEqualDocuments(copy, doc)
    expectEqualDocuments(await readDocument(server.url, 'hostile'), doc)
    attacker.close()
    reader.close()
    expect(failures).toEqual([])
  })
})
