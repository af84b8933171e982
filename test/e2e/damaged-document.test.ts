import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import express from 'express'
import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { SocketIOProvider } from 'y-rooms/client'
import { chunkKey, documentKey, entryKey, manifestKey } from '../../src/storage/level-keys.ts'
import { expectEqualDocuments } from '../support/equal-documents.ts'
import { metric, serveHealth } from '../support/health.ts'
import { RawClient, readDocument, updateOf } from '../support/raw-client.ts'
import { startServer, type RunningServer } from '../support/running-server.ts'
import { flipBit, withRows } from '../support/storage-surgery.ts'
import { mapTables } from '../support/table-map.ts'
import { tempDirectory } from '../support/temp-directory.ts'

const RECOVERED = 'a snapshot is damaged; the document was recovered from what came before'
const SET_ASIDE = 'a document is damaged and refused until an operator restores or deletes it'

test('T10 [JOIN2] a damaged document is refused and named, the others go on, and it can be deleted', async () => {
  for (const key of [documentKey('a'), entryKey('a', 0, 6)]) {
    const directory = await tempDirectory()
    const docs = await written(directory, ['a', 'ab'])
    await flipBit(directory, key)
    const server = await serve(directory)
    const ada = provide(server, 'a')
    await expect(ada.whenSynced).rejects.toMatchObject({ code: 'document-damaged' })
    expect(ada.doc.getText('body').length).toBe(0)
    const client = await RawClient.connect(server.url)
    onTestFinished(() => client.close())
    for (let attempt = 0; attempt < 3; attempt++)
      expect(await client.tryJoin('a', { clientId: 1 })).toMatchObject({
        ok: false,
        code: 'document-damaged',
        retry: 'never',
      })
    expectEqualDocuments(await readDocument(server.url, 'ab'), docs[1]!)
    expect(messages(server)).toEqual([SET_ASIDE])
    expect(server.errors).toMatchObject([{ fields: { document: 'a' } }])
    expect(await metric(server, 'y_rooms_damaged_documents')).toBe(1)

    expect((await fetch(`${server.url}/api/documents/a`)).status).toBe(500)
    const deleted = await fetch(`${server.url}/api/documents/a`, { method: 'DELETE' })
    expect(deleted.status).toBe(204)
    expect(await metric(server, 'y_rooms_damaged_documents')).toBe(0)
    const joined = await client.join('a', { clientId: 1 })
    expect(joined.head).toBe(0)
    const update = updateOf(new Y.Doc(), (own) => own.getText('body').insert(0, 'new life'))
    expect(await client.update(joined.document, update)).toMatchObject({ ok: true, seq: 1 })
    expectEqualDocuments(await readDocument(server.url, 'ab'), docs[1]!)
  }
})

test('T10 [ST13] a snapshot that is found damaged while clients read it: they come back to the whole document', async () => {
  for (const chunk of [0, 1, 2]) {
    const directory = await tempDirectory()
    const [doc] = (await written(directory, ['a'])) as [Y.Doc]
    const seq = await newestSnapshot(directory)
    await flipBit(directory, chunkKey('a', 0, seq, chunk))
    const server = await serve(directory)
    const providers = [provide(server, 'a'), provide(server, 'a'), provide(server, 'a')]
    await Promise.all(providers.map(({ whenSynced }) => whenSynced))
    for (const provider of providers) expectEqualDocuments(provider.doc, doc)
    expect(messages(server)).toEqual([RECOVERED])

    // It goes on from there: edits, the next fold, a restart.
    providers[0]!.doc.getText('body').insert(0, 'after ')
    await providers[0]!.whenSaved()
    await server.documents.compact('a')
    await expect
      .poll(() => providers[1]!.doc.getText('body').length)
      .toBe(doc.getText('body').length + 6)
    await server.close()
    const restarted = await serve(directory)
    expectEqualDocuments(await readDocument(restarted.url, 'a'), providers[0]!.doc)
    expect(messages(restarted)).toEqual([])
  }
})

test('T10 [ST16] [HTTP5] a damaged table: its document is refused and counted from the start on, the server is ready and serves the others', async () => {
  const directory = await tempDirectory()
  const docs = await written(directory, ['a', 'b', 'c'])
  // A start puts LevelDB's log into tables.
  await (await startServer(directory)).close()
  await harmBlock(directory, entryKey('b', 0, 6))
  for (let start = 0; start < 2; start++) {
    const server = await serve(directory)
    const client = await RawClient.connect(server.url)
    expect(await client.tryJoin('b', { clientId: 1 })).toMatchObject({
      ok: false,
      code: 'document-damaged',
      retry: 'never',
    })
    for (const [name, at] of [
      ['a', 0],
      ['c', 2],
    ] as const)
      expectEqualDocuments(await readDocument(server.url, name), docs[at]!)
    expect(server.errors.at(-1)).toMatchObject({ fields: { documents: 1, names: ['b'] } })
    expect(await metric(server, 'y_rooms_damaged_documents')).toBe(1)
    const ready = await fetch(`${server.url}/readyz`)
    expect([ready.status, await ready.json()]).toEqual([
      200,
      { status: 'ready', message: 'documents refused as damaged: 1' },
    ])
    client.close()
    if (start === 0) await server.close()
    else
      expect((await fetch(`${server.url}/api/documents/b`, { method: 'DELETE' })).status).toBe(204)
    if (start === 1) expect(await metric(server, 'y_rooms_damaged_documents')).toBe(0)
  }
})

test('T10 [ST13] a damaged manifest or index is recovered from when the document is opened, by whatever reads it', async () => {
  const reads: Record<string, (server: RunningServer) => Promise<unknown>> = {
    join: (server) => readDocument(server.url, 'a'),
    http: (server) => fetch(`${server.url}/api/documents/a`).then((answer) => answer.arrayBuffer()),
    editor: async (server) => (await server.documents.open('a')).read((doc) => doc.getText('body')),
    fold: (server) => server.documents.compact('a'),
  }
  for (const read of Object.values(reads)) {
    const directory = await tempDirectory()
    const [doc] = (await written(directory, ['a'])) as [Y.Doc]
    await flipBit(directory, manifestKey('a', 0, await newestSnapshot(directory)))
    const server = await serve(directory)
    await read(server)
    expect(messages(server)).toEqual([RECOVERED])
    expectEqualDocuments(await readDocument(server.url, 'a'), doc)
  }
})

test('T10 [ST13] a damaged chunk under an editor in the server and an HTTP reader', async () => {
  const directory = await tempDirectory()
  const [doc] = (await written(directory, ['a'])) as [Y.Doc]
  await flipBit(directory, chunkKey('a', 0, await newestSnapshot(directory), 1))
  const server = await serve(directory)
  const editor = await server.documents.open('a')
  const [length, answer] = await Promise.all([
    editor.read((own) => own.getText('body').length),
    fetch(`${server.url}/api/documents/a`),
  ])
  expect(length).toBe(doc.getText('body').length)
  const read = new Y.Doc()
  expect(answer.status).toBe(200)
  Y.applyUpdate(read, new Uint8Array(await answer.arrayBuffer()))
  expectEqualDocuments(read, doc)
})

/** Documents of some 700 KB with two snapshots and a log after them, closed. */
async function written(directory: string, names: readonly string[]): Promise<Y.Doc[]> {
  const server = await startServer(directory)
  const client = await RawClient.connect(server.url)
  const docs: Y.Doc[] = []
  for (const name of names) {
    const doc = new Y.Doc()
    const { document } = await client.join(name, { clientId: doc.clientID })
    for (let round = 0; round < 3; round++) {
      for (const text of ['x'.repeat(200_000), 'y'.repeat(20_000)]) {
        const update = updateOf(doc, (own) => own.getText('body').insert(0, text))
        expect(await client.update(document, update)).toMatchObject({ ok: true })
      }
      if (round < 2) await server.documents.compact(name)
    }
    docs.push(doc)
  }
  client.close()
  await server.close()
  return docs
}

/** Flips a bit in the block of a table that has this key. */
async function harmBlock(directory: string, key: Uint8Array): Promise<void> {
  const folder = join(directory, 'log')
  for (const [file, map] of await mapTables(folder)) {
    const block = map.find(({ keys }) => keys.some((one) => one.equals(key)))
    if (block === undefined) continue
    const bytes = await readFile(join(folder, file))
    bytes[block.start + 3] = (bytes[block.start + 3] as number) ^ 1
    await writeFile(join(folder, file), bytes)
    return
  }
  throw new Error('the key is in no table')
}

async function newestSnapshot(directory: string): Promise<number> {
  const { levelStorage } = await import('../../src/storage/level-storage.ts')
  const storage = levelStorage(directory)
  await storage.open()
  const { snapshot } = await storage.head('a' as never)
  await storage.close()
  expect(await withRows(directory, (level) => level.has(manifestKey('a', 0, snapshot!.seq)))).toBe(
    true,
  )
  return snapshot!.seq
}

async function serve(directory: string): Promise<RunningServer> {
  let server: RunningServer | null = null
  const whileStarting: unknown[] = []
  const log = (message: string, fields?: object): void =>
    void (server?.errors ?? whileStarting).push({ message, fields })
  const ignore = (): void => undefined
  const { levelStorage } = await import('y-rooms/server')
  const logger = { debug: ignore, info: ignore, warn: ignore, error: log }
  // Folds only when told to, so that the log stays what the tests have written.
  server = await startServer(levelStorage(directory, { logger }), {
    compactAfterBytes: 2 ** 30,
    logger,
  })
  server.errors.push(...whileStarting)
  serveHealth(server, express().use('/api', server.documents.router()))
  onTestFinished(() => server?.close())
  return server
}

function provide(server: RunningServer, name: string): SocketIOProvider {
  const provider = new SocketIOProvider(server.url, name, new Y.Doc(), { socketIo: {} })
  provider.whenSynced.catch(() => undefined)
  onTestFinished(() => provider.destroy())
  return provider
}

function messages(server: RunningServer): unknown[] {
  return server.errors.map((error) => (error as { message: string }).message)
}
