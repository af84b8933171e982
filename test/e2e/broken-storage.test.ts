import express from 'express'
import { describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { SocketIOProvider } from 'y-rooms/client'
import { levelStorage, type ServerOptions } from 'y-rooms/server'
import { faultyStorage, fullDisk, type FaultPlan, type StorageFault } from 'y-rooms/testing'
import { expectEqualDocuments } from '../support/equal-documents.ts'
import { isReady, metric, serveHealth } from '../support/health.ts'
import { loadDocument, RawClient, readDocument, updateOf } from '../support/raw-client.ts'
import { startServer, type RunningServer } from '../support/running-server.ts'
import { tempDirectory } from '../support/temp-directory.ts'

/** Logs are folded when a test says so. */
const ON_REQUEST = { compactAfterBytes: 2 ** 30 }
const REFUSED = { ok: false, code: 'storage-unavailable', retry: 'backoff' }

describe('T8 a write fails', () => {
  test.each<[string, StorageFault]>([
    ['before anything was done', { kind: 'refused' }],
    ['after everything was done', { kind: 'unconfirmed' }],
    ['between two documents', { kind: 'torn' }],
  ])(
    '%s: nobody is told or shown anything, readiness is false, and the retry heals all',
    async (_when, fault) => {
      let next: StorageFault | null = null
      const directory = await tempDirectory()
      const server = await serve(directory, ({ method, names }) => {
        if (method !== 'append') return null
        // The server's own attempts: what heals here is the retry.
        if (names.length === 0) return { kind: 'refused' }
        const now = next
        next = null
        return now
      })
      const author = await connect(server)
      const watcher = await connect(server)
      const names = ['one', 'two']
      const scenes: { name: string; doc: Y.Doc; document: number; seen: Y.Doc }[] = []
      for (const name of names) {
        const doc = new Y.Doc()
        const { document } = await author.join(name, { clientId: doc.clientID })
        const first = updateOf(doc, (own) => own.getText('body').insert(0, `${name} `))
        expect(await author.update(document, first)).toMatchObject({ ok: true, seq: 1 })
        const seen = await loadDocument(watcher, name)
        scenes.push({ name, doc, document, seen })
      }
      watcher.updates.length = 0
      next = fault
      const updates = scenes.map(({ doc }) =>
        updateOf(doc, (own) => own.getText('body').insert(4, 'words')),
      )
      const send = () =>
        Promise.all(
          scenes.map(({ document }, at) => author.update(document, updates[at] as Uint8Array)),
        )
      expect(await send()).toMatchObject([REFUSED, REFUSED])
      expect(watcher.updates).toEqual([])
      expect(await isReady(server)).toBe(false)

      expect(await send()).toMatchObject([{ ok: true }, { ok: true }])
      await watcher.until(() => new Set(watcher.updates.map(({ document }) => document)).size === 2)
      for (const { seen, doc, document } of scenes) {
        // The handles of a document are the same for everybody.
        for (const relayed of watcher.updates)
          if (relayed.document === document) Y.applyUpdate(seen, relayed.update)
        expectEqualDocuments(seen, doc)
      }
      // What had reached the disk already needs no second write, and so proves nothing about the next.
      const more = updateOf(scenes[0]!.doc, (own) => own.getText('body').insert(0, '!'))
      expect(await author.update(scenes[0]!.document, more)).toMatchObject({ ok: true })
      expect(await isReady(server)).toBe(true)
      await expectStored(directory, server, scenes)
    },
  )

  test('[HTTP5] readiness comes back although nobody writes, by a write of the server’s own', async () => {
    const disk = fullDisk()
    const directory = await tempDirectory()
    const server = await serve(directory, disk.plan)
    const author = await connect(server)
    const doc = new Y.Doc()
    const { document } = await author.join('draft', { clientId: doc.clientID })
    const update = updateOf(doc, (own) => own.getText('body').insert(0, 'words'))
    disk.fill()
    expect(await author.update(document, update)).toMatchObject(REFUSED)
    author.close()
    await expect.poll(() => metric(server, 'y_rooms_connections')).toBe(0)
    expect(await isReady(server)).toBe(false)
    disk.heal()
    await expect.poll(() => isReady(server)).toBe(true)
    await expectStored(directory, server, [{ name: 'draft', doc: new Y.Doc() }])
  })

  test('[LOG13] T8 what a failed write or deletion has left on the disk reaches members although nobody edits or joins', async () => {
    let unconfirmed: string | null = null
    const server = await serve(await tempDirectory(), ({ method }) =>
      method === unconfirmed ? { kind: 'unconfirmed' } : null,
    )
    const reader = await connect(server)
    const seen = await loadDocument(reader, 'draft')
    const editor = await server.documents.open('draft')
    unconfirmed = 'append'
    await expect(
      editor.transact((doc) => doc.getText('body').insert(0, 'left behind')),
    ).rejects.toMatchObject({ code: 'storage-unavailable' })
    expect(reader.updates).toEqual([])
    unconfirmed = null
    // Nothing else happens: the document looks at the disk by itself.
    await reader.until(() => reader.updates.length > 0)
    for (const { update } of reader.updates) Y.applyUpdate(seen, update)
    expect(seen.getText('body').toJSON()).toBe('left behind')

    unconfirmed = 'delete'
    const answer = await fetch(`${server.url}/api/documents/draft`, { method: 'DELETE' })
    expect(answer.status).toBe(503)
    unconfirmed = null
    await reader.until(() => reader.closed.length > 0)
    expect(reader.closed).toMatchObject([{ code: 'document-reset' }])
  })

  test('as the disk is full: providers keep their edits, show nobody anything, and save when it heals', async () => {
    const disk = fullDisk()
    const directory = await tempDirectory()
    const server = await serve(directory, disk.plan)
    const [ada, bob, cat] = [0, 1, 2].map(() => provide(server, 'draft')) as [
      SocketIOProvider,
      SocketIOProvider,
      SocketIOProvider,
    ]
    await Promise.all([ada.whenSynced, bob.whenSynced, cat.whenSynced])
    ada.doc.getText('body').insert(0, 'before ')
    await ada.whenSaved()
    disk.fill()
    ada.doc.getText('body').insert(7, 'ada ')
    bob.doc.getText('body').insert(0, 'bob ')
    ada.doc.getText('body').delete(0, 3)
    await expect.poll(() => isReady(server)).toBe(false)
    expect([ada.saveState, bob.saveState]).not.toContain('saved')
    expect(cat.doc.getText('body').toJSON()).toBe('before ')
    disk.heal()
    await Promise.all([ada.whenSaved(), bob.whenSaved()])
    await expect.poll(() => cat.doc.getText('body').length).toBe(12)
    await expect
      .poll(() => [ada, bob].map(({ doc }) => doc.getText('body').length))
      .toEqual([12, 12])
    for (const { doc } of [ada, bob]) expectEqualDocuments(doc, cat.doc)
    expect(await isReady(server)).toBe(true)
    await expectStored(directory, server, [{ name: 'draft', doc: ada.doc }])
  })

  test('and everybody leaves: the document comes back as it is on the disk, and the edit with its author', async () => {
    for (const kind of ['refused', 'unconfirmed'] as const) {
      let isBroken = false
      const directory = await tempDirectory()
      const server = await serve(
        directory,
        ({ method }) => {
          if (!isBroken) return null
          if (method === 'append') return { kind }
          // Nor can she be told, by a retry, of what may be there all the same.
          return method === 'head' || method === 'readEntries' ? { kind: 'refused' } : null
        },
        { idleUnloadMs: 0 },
      )
      const ada = provide(server, 'draft')
      await ada.whenSynced
      isBroken = true
      ada.doc.getText('body').insert(0, 'kept')
      await expect.poll(() => isReady(server)).toBe(false)
      ada.disconnect()
      await expect.poll(() => metric(server, 'y_rooms_open_documents')).toBe(0)
      expect(ada.saveState).not.toBe('saved')
      isBroken = false
      const onDisk = (await readDocument(server.url, 'draft')).getText('body').toJSON()
      expect(onDisk === 'kept').toBe(kind === 'unconfirmed')
      ada.connect()
      await ada.whenSaved()
      await expectStored(directory, server, [{ name: 'draft', doc: ada.doc }])
    }
  })

  test('by one document only: a damaged one is refused, the other of the batch is written', async () => {
    let isBroken = false
    const server = await serve(await tempDirectory(), ({ method, names }) =>
      isBroken && method === 'append' ? { kind: 'damaged', names: [names[0]!] } : null,
    )
    const author = await connect(server)
    const docs = [new Y.Doc(), new Y.Doc()]
    const handles: number[] = []
    for (const [at, doc] of docs.entries())
      handles.push((await author.join(`d${at}`, { clientId: doc.clientID })).document)
    isBroken = true
    const answers = await Promise.all(
      docs.map((doc, at) =>
        author.update(
          handles[at]!,
          updateOf(doc, (own) => own.getText('body').insert(0, 'x')),
        ),
      ),
    )
    expect(answers).toMatchObject([
      { ok: false, code: 'document-damaged', retry: 'never' },
      { ok: true, seq: 1 },
    ])
  })
})

describe('T6 [LOG4] a write that arrives while a snapshot is', () => {
  test.each([
    ['made', 'head'],
    ['stored', 'replacePrefix'],
  ] as const)('%s survives the unload', async (_stage, method) => {
    const gate = new Gate()
    let isHolding = false
    const directory = await tempDirectory()
    const server = await serve(
      directory,
      (call) => (isHolding && call.method === method ? gate.hold() : null),
      { idleUnloadMs: 0 },
    )
    const author = await connect(server)
    const doc = await loadDocument(author, 'draft')
    const { document } = await author.join('draft', { clientId: doc.clientID })
    const write = async (text: string): Promise<void> => {
      const update = updateOf(doc, (own) => own.getText('body').insert(0, text))
      expect(await author.update(document, update)).toMatchObject({ ok: true })
    }
    await write('before ')
    isHolding = true
    const compacting = server.documents.compact('draft')
    await gate.whenHeld
    isHolding = false
    await write('meanwhile ')
    author.close()
    gate.open()
    await compacting
    await expect.poll(() => metric(server, 'y_rooms_open_documents')).toBe(0)
    await expectStored(directory, server, [{ name: 'draft', doc }])
  })
})

describe('T7 [LOG7] a fold', () => {
  test.each<[string, FaultPlan]>([
    [
      'whose reading fails in the middle of the log',
      ({ method, after }) =>
        method === 'readEntries' && (after ?? 0) > 0 ? { kind: 'refused' } : null,
    ],
    [
      'that finds damage in the middle of the log',
      ({ method, after }) =>
        method === 'readEntries' && (after ?? 0) > 0 ? { kind: 'damaged' } : null,
    ],
    [
      'whose snapshot cannot be stored',
      ({ method }) => (method === 'replacePrefix' ? { kind: 'refused' } : null),
    ],
    [
      'that is stored and told to have failed',
      ({ method }) => (method === 'replacePrefix' ? { kind: 'unconfirmed' } : null),
    ],
  ])('%s loses nothing', async (_what, plan) => {
    let isBroken = false
    const directory = await tempDirectory()
    const server = await serve(directory, (call) => (isBroken ? plan(call) : null), ON_REQUEST)
    const author = await connect(server)
    const doc = await loadDocument(author, 'draft')
    const { document } = await author.join('draft', { clientId: doc.clientID })
    // More than one page of the log.
    for (let count = 0; count < 4; count++) {
      const text = String(count).repeat(400_000)
      const update = updateOf(doc, (own) => own.getText('body').insert(0, text))
      expect(await author.update(document, update)).toMatchObject({ ok: true })
    }
    isBroken = true
    await server.documents.compact('draft')
    isBroken = false
    expect(await metric(server, 'y_rooms_compaction_failures_total')).toBe(1)
    const update = updateOf(doc, (own) => own.getText('body').delete(5, 500_000))
    expect(await author.update(document, update)).toMatchObject({ ok: true })
    await server.documents.compact('draft')
    expectEqualDocuments(await readDocument(server.url, 'draft'), doc)
    await expectStored(directory, server, [{ name: 'draft', doc }])
  })
})

describe('T11 [JOIN2] a load that fails', () => {
  const places = {
    'at the head': ({ method }) => method === 'head',
    'at the first page of the log': ({ method }) => method === 'readEntries',
    'at a later page of the log': ({ method, after }) =>
      method === 'readEntries' && (after ?? 0) > 2,
    'at the snapshot': ({ method }) => method === 'readSnapshotChunk',
  } satisfies Record<string, (call: Parameters<FaultPlan>[0]) => boolean>

  test.each(Object.entries(places))(
    '%s is a refusal, and nobody is synced',
    async (_at, isPlace) => {
      let kind: 'refused' | 'damaged' | null = null
      const plan: FaultPlan = (call) => (kind !== null && isPlace(call) ? { kind } : null)
      const server = await serve(await tempDirectory(), plan, { idleUnloadMs: 0, ...ON_REQUEST })
      const author = await connect(server)
      const doc = await loadDocument(author, 'draft')
      const { document } = await author.join('draft', { clientId: doc.clientID })
      const write = (text: string) =>
        author.update(
          document,
          updateOf(doc, (own) => own.getText('body').insert(0, text)),
        )
      await write('a'.repeat(1000))
      await write('b'.repeat(1000))
      await server.documents.compact('draft')
      for (const letter of 'cdef') await write(letter.repeat(400_000))
      author.close()
      await expect.poll(() => metric(server, 'y_rooms_open_documents')).toBe(0)
      const reader = await connect(server)
      for (const [fault, code, retry] of [
        ['refused', 'storage-unavailable', 'backoff'],
        ['damaged', 'document-damaged', 'never'],
      ] as const) {
        kind = fault
        expect(await reader.tryJoin('draft', { clientId: 9 })).toMatchObject({
          ok: false,
          code,
          retry,
        })
      }
      kind = 'refused'
      const ada = provide(server, 'draft')
      const seen: string[] = []
      ada.doc.on('update', () => seen.push(ada.doc.getText('body').toJSON().slice(0, 1)))
      void ada.whenSynced.then(() => seen.push('synced'))
      expect(await reader.tryJoin('draft', { clientId: 9 })).toMatchObject(REFUSED)
      expect(seen).toEqual([])
      kind = null
      await ada.whenSynced
      expectEqualDocuments(ada.doc, doc)
    },
  )
})

describe('T9 [EMB7] closing', () => {
  test.each([
    ['a write', 'append'],
    ['a snapshot', 'replacePrefix'],
    ['the closing of the storage', 'close'],
  ])('ends although %s hangs for ever', async (_what, method) => {
    let isBroken = false
    const gate = new Gate()
    const server = await startServer(
      faultyStorage(levelStorage(await tempDirectory()), (call) => {
        if (!isBroken || call.method !== method) return null
        void gate.hold()
        return { kind: 'hanging' }
      }),
      { closeTimeoutMs: 300 },
    )
    const author = await connect(server)
    const doc = new Y.Doc()
    const { document } = await author.join('draft', { clientId: doc.clientID })
    const write = () =>
      author.update(
        document,
        updateOf(doc, (own) => own.getText('body').insert(0, 'x')),
      )
    expect(await write()).toMatchObject({ ok: true })
    isBroken = true
    const unanswered = method === 'append' ? write().catch((error: Error) => error) : null
    if (method === 'replacePrefix') void server.documents.compact('draft')
    if (method !== 'close') await gate.whenHeld
    await server.close()
    expect(server.errors).toContainEqual(
      expect.objectContaining({ message: expect.stringContaining('does not close') }),
    )
    author.close()
    await unanswered
  })

  test('ends although the storage never opened', async () => {
    const { createDocumentServer } = await import('y-rooms/server')
    const documents = createDocumentServer({
      storage: faultyStorage(levelStorage(await tempDirectory()), ({ method }) =>
        method === 'open' ? { kind: 'hanging' } : null,
      ),
      closeTimeoutMs: 100,
    })
    await documents.close()
  })
})

class Gate {
  open: () => void = () => undefined
  #held: () => void = () => undefined
  readonly whenHeld = new Promise<void>((resolve) => (this.#held = resolve))
  readonly #opened = new Promise<null>((resolve) => (this.open = () => resolve(null)))

  hold(): Promise<null> {
    this.#held()
    return this.#opened
  }
}

async function serve(
  directory: string,
  plan: FaultPlan,
  options: Omit<ServerOptions, 'storage'> = {},
): Promise<RunningServer> {
  const server = await startServer(faultyStorage(levelStorage(directory), plan), options)
  serveHealth(server, express().use('/api', server.documents.router()))
  onTestFinished(() => server.close())
  return server
}

async function connect(server: RunningServer): Promise<RawClient> {
  const client = await RawClient.connect(server.url)
  onTestFinished(() => client.close())
  return client
}

function provide(server: RunningServer, name: string): SocketIOProvider {
  // An options object of its own is a socket of its own.
  const provider = new SocketIOProvider(server.url, name, new Y.Doc(), { socketIo: {} })
  provider.whenSynced.catch(() => undefined)
  onTestFinished(() => provider.destroy())
  return provider
}

/** Ends the server, and finds the same documents with a new one on the same directory. */
async function expectStored(
  directory: string,
  server: RunningServer,
  expected: readonly { readonly name: string; readonly doc: Y.Doc }[],
): Promise<void> {
  await server.close()
  const restarted = await startServer(directory)
  onTestFinished(() => restarted.close())
  for (const { name, doc } of expected)
    expectEqualDocuments(await readDocument(restarted.url, name), doc)
}
