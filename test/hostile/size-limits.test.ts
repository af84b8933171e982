import { expect, test } from 'vitest'
import * as Y from 'yjs'
import { readDocument, updateOf } from '../support/raw-client.ts'
import { forge, textItem, typeItem, type Id } from '../update/forged-update.ts'
import { limitScene } from './limit-scene.ts'

test('[LIM5] a document that is full takes deletions only, over the socket and over HTTP, and is read as ever', async () => {
  const { server, connect, hits } = await limitScene({ maxDocumentBytes: 4096 })
  const client = await connect()
  const { document } = await client.join('draft', { clientId: 1 })
  const doc = new Y.Doc()
  const body = doc.getText('body')
  const first = updateOf(doc, () => body.insert(0, 'a'.repeat(3000)))
  expect(await client.update(document, first)).toMatchObject({ ok: true })
  const over = new Y.Doc()
  const more = updateOf(over, () => over.getText('body').insert(0, 'b'.repeat(2000)))
  const refused = { code: 'document-too-large', retry: 'never' }
  expect(await client.update(document, more)).toMatchObject(refused)
  const posted = await fetch(`${server.url}/api/documents/draft/updates`, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body: Buffer.from(more),
  })
  expect([posted.status, await posted.json()]).toMatchObject([413, refused])
  expect(await hits('maxDocumentBytes')).toBe(2)
  const deletion = updateOf(doc, () => body.delete(0, 2990))
  expect(await client.update(document, deletion)).toMatchObject({ ok: true, seq: 2 })
  // Another document has its own room.
  const other = await client.join('other', { clientId: 1 })
  expect(await client.update(other.document, more)).toMatchObject({ ok: true })
  // Folding makes room.
  await server.documents.compact('draft')
  expect(await client.update(document, more)).toMatchObject({ ok: true, seq: 3 })
  const read = await readDocument(server.url, 'draft')
  expect(read.getText('body').length).toBe(2010)
})

test('T30 [LIM5] structs, deleted ranges and nesting of one update have the limits of the options', async () => {
  const { connect, hits } = await limitScene({ maxStructsPerUpdate: 10, maxNesting: 3 })
  const client = await connect()
  const { document } = await client.join('draft', { clientId: 1 })
  const letters = (count: number): Uint8Array =>
    forge({ sections: [{ client: 1, clock: 0, structs: Array.from({ length: count }, () => textItem('x')) }] }) // prettier-ignore
  const nested = (depth: number): Uint8Array =>
    forge({
      sections: [
        {
          client: 2,
          clock: 0,
          structs: Array.from({ length: depth }, (_, clock) =>
            typeItem(0, { parent: clock === 0 ? 'a' : ([2, clock - 1] as Id) }),
          ),
        },
      ],
    })
  const refused = { code: 'malformed-update', retry: 'never' }
  expect(await client.update(document, letters(11))).toMatchObject(refused)
  expect(await client.update(document, letters(10))).toMatchObject({ ok: true })
  const ranges = (count: number): Uint8Array =>
    forge({ deletes: [[1, Array.from({ length: count }, (_, at) => [at % 10, 1] as [number, number])]] }) // prettier-ignore
  expect(await client.update(document, ranges(11))).toMatchObject(refused)
  expect(await client.update(document, nested(5))).toMatchObject(refused)
  expect(await client.update(document, nested(3))).toMatchObject({ ok: true })
  expect([await hits('maxStructsPerUpdate'), await hits('maxNesting')]).toEqual([2, 1])
})

test('[LIM5] a message larger than allowed ends its connection, and is counted', async () => {
  const { connect, hits } = await limitScene({ maxMessageBytes: 512 * 1024 })
  const [client, other] = [await connect(), await connect()]
  const { document } = await client.join('draft', { clientId: 1 })
  expect(await client.update(document, new Uint8Array(500_000))).toMatchObject({ code: 'malformed-update' }) // prettier-ignore
  client.socket.emit('update', document, new Uint8Array(600_000))
  await client.until(() => !client.socket.connected)
  expect(await hits('maxMessageBytes')).toBe(1)
  expect(await other.tryJoin('draft', { clientId: 2 })).toMatchObject({ ok: true })
})

test('[LIM1] limits that were there before are counted as well', async () => {
  const { connect, hits } = await limitScene({ maxUpdateBytes: 1024, maxPresenceBytes: 64, maxDocumentsPerConnection: 1 }) // prettier-ignore
  const client = await connect()
  const { document } = await client.join('draft', { clientId: 1 })
  expect(await client.update(document, new Uint8Array(1025))).toMatchObject({ code: 'update-too-large' }) // prettier-ignore
  expect(
    await client.request(
      'chunk',
      document,
      { upload: 1, offset: 0, size: 2000 },
      new Uint8Array(1),
    ),
  ).toMatchObject({ code: 'update-too-large' })
  expect(await client.tryJoin('other', { clientId: 1 })).toMatchObject({ code: 'too-many-documents' }) // prettier-ignore
  expect([await hits('maxUpdateBytes'), await hits('maxDocumentsPerConnection')]).toEqual([2, 1])
})

test('[LIM1] the log says once that a limit was reached, and of addresses what it may be', async () => {
  const warnings: unknown[] = []
  const ignore = (): void => undefined
  const { connect } = await limitScene({
    maxConnectionsPerAddress: 1,
    maxDocumentsPerConnection: 1,
    logger: {
      debug: ignore,
      info: ignore,
      error: ignore,
      warn: (_message, fields) => warnings.push(fields),
    },
  })
  const client = await connect()
  await client.join('draft', { clientId: 1 })
  for (let attempt = 0; attempt < 3; attempt++) {
    await client.tryJoin('other', { clientId: 1 })
    await expect(connect()).rejects.toThrow('too many connections')
  }
  expect(warnings).toMatchObject([
    { limit: 'maxDocumentsPerConnection' },
    {
      limit: 'maxConnectionsPerAddress',
      note: expect.stringContaining('trustedProxies') as string,
    },
  ])
})
