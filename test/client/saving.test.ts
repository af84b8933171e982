import { expect, test } from 'vitest'
import * as Y from 'yjs'
import { ProviderError } from '../../client/index.ts'
import type { ChunkRequest, UpdateAnswer } from '../../protocol/index.ts'
import { HANDLE, joined, LIMITS, OtherEditor, type ScriptedWire } from './scripted-network.ts'
import { scene } from './scene.ts'

const saved = (seq: number): UpdateAnswer => ({ ok: true, seq, entry: true })

function textOf(...updates: unknown[]): string {
  const doc = new Y.Doc()
  for (const update of updates) Y.applyUpdate(doc, update as Uint8Array)
  return doc.getText('body').toJSON()
}

test('the changes of one turn are one message; saved means acknowledged', async () => {
  const { provider, clock, type, join, events } = scene()
  const wire = join()
  expect(provider.saveState).toBe('saved')
  for (const letter of 'hello') type(letter)
  expect(wire.count('update')).toBe(0)
  clock.endTurn()
  const request = wire.take('update')
  expect(wire.count('update')).toBe(0)
  expect(request.args[0]).toBe(HANDLE)
  expect(textOf(request.args[1])).toBe('hello')
  expect(provider.unsyncedChanges).toBe(5)
  expect(provider.saveState).toBe('saving')
  let isSaved = false
  const whenSaved = provider.whenSaved().then(() => (isSaved = true))
  await Promise.resolve()
  expect(isSaved).toBe(false)
  expect(provider.lastSavedAt).toBeNull()
  request.answer(saved(1))
  await whenSaved
  expect(provider.unsyncedChanges).toBe(0)
  expect(provider.hasUnsyncedChanges).toBe(false)
  expect(provider.lastSavedAt).toBe(clock.now())
  expect(events.slice(-2)).toEqual(['saving', 'saved'])
})

test('messages are pipelined up to 16; beyond that changes merge', () => {
  const { provider, clock, type, join } = scene()
  const wire = join()
  for (let index = 0; index < 40; index++) {
    type('x')
    clock.endTurn()
  }
  expect(wire.count('update')).toBe(16)
  wire.take('update').answer(saved(1))
  expect(wire.count('update')).toBe(16)
  expect(provider.unsyncedChanges).toBe(39)
  for (let seq = 2; provider.hasUnsyncedChanges; seq++) wire.take('update').answer(saved(seq))
  expect(wire.count('update')).toBe(0)
})

test('T24 offline: no packet is queued, and one merged upload goes out on return', () => {
  const { provider, clock, network, type, join, text } = scene()
  const first = join()
  first.break()
  // A request or notice on a broken wire throws in the script.
  for (let index = 0; index < 1000; index++) {
    type('x')
    provider.awareness.setLocalStateField('cursor', index)
    clock.endTurn()
  }
  expect(provider.saveState).toBe('unsaved')
  expect(provider.unsyncedChanges).toBe(1000)
  clock.advance(1000)
  expect(network.wires).toHaveLength(2)
  const wire = join()
  expect(wire.count('update')).toBe(1)
  const upload = wire.take('update')
  expect(textOf(upload.args[1])).toBe(text())
  expect(wire.takeNotices('awareness')).toHaveLength(1)
  upload.answer(saved(1))
  expect(provider.saveState).toBe('saved')
})

test('what was on its way when the connection broke is sent again, with what came since', () => {
  const { provider, clock, type, join, wire } = scene()
  join()
  type('a')
  clock.endTurn()
  type('b')
  clock.endTurn()
  const late = wire.take('update')
  wire.break()
  late.answer(saved(1))
  expect(provider.unsyncedChanges).toBe(2)
  type('c')
  clock.advance(1000)
  const again = join({ seq: 2, stateVector: Y.encodeStateVector(provider.doc) })
  expect(textOf(again.take('update').args[1])).toBe('abc')
  expect(again.count('update')).toBe(0)
})

test('a refusal with backoff is sent again later, merged with what came since', () => {
  const { provider, clock, type, join, events } = scene()
  const wire = join()
  type('a')
  clock.endTurn()
  type('b')
  clock.endTurn()
  wire.take('update').refuse('storage-unavailable')
  // The echo: it builds on what was refused. No reason to join again.
  wire.take('update').refuse('missing-dependencies')
  type('c')
  clock.endTurn()
  expect(wire.count('update')).toBe(0)
  expect(provider.unsyncedChanges).toBe(3)
  clock.advance(400)
  expect(wire.count('join')).toBe(0)
  expect(textOf(wire.take('update').args[1])).toBe('abc')
  expect(events.filter((event) => event.startsWith('rejected:'))).toEqual([])
})

test('the pauses after refusals with backoff grow', () => {
  const { clock, type, join } = scene()
  const wire = join()
  type('a')
  clock.endTurn()
  const pauses: number[] = []
  for (let round = 0; round < 10; round++) {
    wire.take('update').refuse('storage-unavailable')
    const startedAt = clock.now()
    while (wire.count('update') === 0) clock.advance(100)
    pauses.push(clock.now() - startedAt)
  }
  expect(pauses.slice(0, 4)).toEqual([400, 800, 1600, 3200])
  expect(pauses.at(-1)).toBe(30_000)
})

test('T20 T51 a refusal for good: rejected with the bytes kept, sending stops, the editor goes on', async () => {
  const { provider, clock, type, join, events, text } = scene()
  const wire = join()
  type('a')
  clock.endTurn()
  const whenSaved = provider.whenSaved()
  const rejected = new Promise<Uint8Array>((resolve) =>
    provider.once('rejected', ({ update }) => resolve(update)),
  )
  wire.take('update').refuse('update-too-large')
  await expect(whenSaved).rejects.toMatchObject({ code: 'update-too-large', permanent: true })
  expect(textOf(await rejected)).toBe('a')
  expect(provider.saveState).toBe('rejected')
  type('b')
  clock.advance(60_000)
  expect(wire.count('update')).toBe(0)
  expect(wire.count('join')).toBe(0)
  expect(textOf(provider.pendingUpdate())).toBe('ab')
  const other = new OtherEditor()
  wire.relay(HANDLE, 1, 1, other.type('remote'))
  expect(text()).toContain('remote')
  expect(events.filter((event) => event.startsWith('rejected:'))).toHaveLength(1)
  await expect(provider.whenSaved()).rejects.toBeInstanceOf(ProviderError)
})

test('T51 with read access nothing is sent, and an edit is told as rejected; write access heals it', () => {
  const { provider, clock, type, join, events, wire } = scene()
  join({ access: 'read' })
  expect(events).not.toContain('rejected:read-only')
  type('a')
  clock.endTurn()
  expect(wire.count('update')).toBe(0)
  expect(events).toContain('rejected:read-only')
  wire.break()
  clock.advance(1000)
  const next = join({ access: 'write' })
  expect(textOf(next.take('update').args[1])).toBe('a')
  expect(provider.saveState).toBe('saving')
})

test('a reader whose document came from elsewhere is not told of a rejection', () => {
  const other = new OtherEditor()
  other.type('known')
  const { provider, join, events } = scene({ doc: other.doc })
  expect(provider.saveState).toBe('unsaved')
  join({ access: 'read', seq: 1, stateVector: other.stateVector })
  expect(provider.saveState).toBe('saved')
  expect(events.filter((event) => event.startsWith('rejected:'))).toEqual([])
})

test('[SYNC5] T17 a reader leaves marks without effect to the writers: what is written between them looks the same to all', () => {
  const [ada, bob] = [new OtherEditor(), new Y.Doc()]
  const hello = ada.type('hello')
  Y.applyUpdate(bob, hello)
  const known = ada.stateVector
  for (const doc of [ada.doc, bob]) doc.getText('body').format(0, 5, { bold: true })
  const marks = [ada.doc, bob].map((doc) => Y.encodeStateAsUpdate(doc, known))
  const writer = new Y.Doc()
  const { provider, doc, clock, join, events, wire } = scene()
  join({ access: 'read', seq: 1, updates: [hello], stateVector: known })
  Y.applyUpdate(writer, hello)
  // So that Yjs knows the type, as a bound editor makes it.
  for (const one of [doc, writer]) one.getText('body')
  const tidied = new Set<Y.Doc>()
  for (const one of [doc, writer])
    one.on('update', (_update, _origin, _doc, { local }: Y.Transaction) => {
      if (local) tidied.add(one)
    })
  for (const [index, update] of marks.entries()) {
    wire.relay(HANDLE, index + 2, index + 2, update)
    Y.applyUpdate(writer, update)
  }
  clock.endTurn()
  expect([...tidied]).toEqual([writer])
  expect([provider.saveState, provider.unsyncedChanges]).toEqual(['saved', 0])
  expect(doc.getText('body').toDelta()).toEqual(writer.getText('body').toDelta())
  doc.getText('body').delete(0, 1)
  clock.endTurn()
  expect(events).toContain('rejected:read-only')
})

test('T13 asked to resync, the client joins again and uploads what the server really lacks', () => {
  const { provider, clock, type, join, text } = scene()
  const wire = join()
  type('a')
  clock.endTurn()
  wire.take('update').answer(saved(1))
  type('b')
  clock.endTurn()
  // The server lost 'a', which 'b' builds on.
  wire.take('update').refuse('missing-dependencies')
  expect(wire.takeNotices('leave')).toHaveLength(1)
  expect(provider.synced).toBe(false)
  clock.advance(400)
  wire.take('join').answer(joined())
  expect(textOf(wire.take('update').args[1])).toBe(text())
  expect(wire.count('update')).toBe(0)
})

test('T13 changes with a hole between them are replaced by the document, once the server refuses them', () => {
  const { clock, doc, join, text, wire } = scene()
  join()
  const other = new OtherEditor()
  const [first, second, third] = ['a', 'b', 'c'].map((letter) => other.type(letter)) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ]
  // The second came from the server, which then loses it; its neighbours came from a peer.
  Y.applyUpdate(doc, first, 'a peer')
  wire.relay(HANDLE, 1, 1, second)
  Y.applyUpdate(doc, third, 'a peer')
  wire.break()
  clock.advance(400)
  const next = join({ seq: 1 })
  next.take('update').refuse('missing-dependencies')
  clock.advance(400)
  join({ seq: 1 })
  expect(text()).toBe('abc')
  expect(textOf(next.take('update').args[1])).toBe('abc')
})

test('a server that asks to resync for ever is asked less and less often', () => {
  const { clock, type, join } = scene()
  const wire = join()
  type('a')
  clock.endTurn()
  let rounds = 0
  for (let elapsedMs = 0; elapsedMs < 60_000; elapsedMs += 100) {
    if (wire.count('update') > 0) {
      rounds++
      wire.take('update').refuse('missing-dependencies')
    }
    if (wire.count('join') > 0) wire.take('join').answer(joined())
    clock.advance(100)
  }
  expect(rounds).toBeGreaterThan(3)
  expect(rounds).toBeLessThan(12)
})

test('a request without an answer is not waited for: the client joins again and sends again', () => {
  const { provider, clock, type, join, events } = scene()
  const wire = join()
  type('a')
  clock.endTurn()
  wire.take('update')
  clock.advance(30_000)
  expect(events).toContain('error:no-answer')
  clock.advance(400)
  wire.take('join').answer(joined())
  wire.take('update').answer(saved(1))
  expect(provider.saveState).toBe('saved')
})

test('content from before the provider counts as unsaved until the server is known to have it', () => {
  const other = new OtherEditor()
  other.type('before')
  const { provider, join } = scene({ doc: other.doc })
  expect(provider.unsyncedChanges).toBe(1)
  const wire = join()
  const upload = wire.take('update')
  expect(textOf(upload.args[1])).toBe('before')
  expect(provider.saveState).toBe('saving')
  upload.answer(saved(1))
  expect(provider.saveState).toBe('saved')
})

test('T62 content that another source loaded before the join is not uploaded if the server has it', () => {
  const { provider, doc, join } = scene()
  const other = new OtherEditor()
  other.type('from the database')
  Y.applyUpdate(doc, Y.encodeStateAsUpdate(other.doc), 'a database')
  expect(provider.saveState).toBe('unsaved')
  const wire = join({ seq: 1, stateVector: other.stateVector })
  expect(wire.count('update')).toBe(0)
  expect(provider.saveState).toBe('saved')
})

test('T14 a server that is older than the client gets back what it lost, deletions included', () => {
  const { provider, clock, doc, type, join, wire } = scene()
  join()
  type('abc')
  clock.endTurn()
  const first = wire.take('update')
  first.answer(saved(1))
  doc.getText('body').delete(0, 1)
  clock.endTurn()
  wire.take('update').answer(saved(2))
  wire.break()
  clock.advance(1000)
  // Restored from a backup after the first entry.
  const server = new Y.Doc()
  Y.applyUpdate(server, first.args[1] as Uint8Array)
  const next = join({ seq: 1, head: 1, stateVector: Y.encodeStateVector(server) })
  Y.applyUpdate(server, next.take('update').args[1] as Uint8Array)
  expect(server.getText('body').toJSON()).toBe('bc')
  expect(provider.saveState).toBe('saving')
})

test('T20 a paste of 1.2 MB goes in chunks, in order, four at a time; what is typed meanwhile follows', () => {
  const { provider, clock, type, join } = scene()
  const wire = join()
  const paste = 'p'.repeat(1_200_000)
  type(paste)
  clock.endTurn()
  expect(wire.count('chunk')).toBe(4)
  type('!')
  clock.endTurn()
  const received: Uint8Array[] = []
  let nextOffset = 0
  while (wire.count('chunk') > 0) {
    const { args, answer } = wire.take('chunk')
    const [handle, { offset, size }, bytes] = args
    expect(handle).toBe(HANDLE)
    expect(offset).toBe(nextOffset)
    expect(bytes.length).toBeLessThanOrEqual(LIMITS.chunkBytes)
    nextOffset += bytes.length
    expect(nextOffset).toBeLessThanOrEqual(size)
    received.push(bytes)
    expect(wire.count('update')).toBe(0)
    answer({ ok: true, received: nextOffset })
  }
  const upload = wire.take('update')
  expect(upload.args[1]).toEqual({ upload: expect.any(Number) })
  const whole = new Uint8Array(nextOffset)
  let position = 0
  for (const chunk of received) {
    whole.set(chunk, position)
    position += chunk.length
  }
  expect(textOf(whole)).toBe(paste)
  expect(wire.count('update')).toBe(0)
  upload.answer(saved(1))
  const rest = wire.take('update')
  expect(textOf(whole, rest.args[1])).toBe(`${paste}!`)
  rest.answer(saved(2))
  expect(provider.saveState).toBe('saved')
})

/** The open chunks of an upload, answered as a server does that has everything before them. */
function answerChunks(wire: ScriptedWire, count: number): void {
  for (let index = 0; index < count; index++) {
    const { args, answer } = wire.take('chunk')
    answer({ ok: true, received: args[1].offset + args[2].length })
  }
}

test('T20 [UP3] an upload that the line broke goes on where the server has it, and its progress does not fall', () => {
  const { provider, clock, type, join, network } = scene()
  const progress: number[] = []
  provider.on('upload-progress', ({ sent, total }) => progress.push(sent / total))
  join()
  type('p'.repeat(2_000_000))
  clock.endTurn()
  const { key, size } = network.wire.requests[0]!.args[1] as ChunkRequest
  answerChunks(network.wire, 3)
  network.wire.break()
  // What is typed meanwhile goes after it, not into it.
  type('!')
  clock.advance(1000)
  const wire = join({ seq: 0 })
  expect(wire.count('chunk')).toBe(1)
  const question = wire.take('chunk')
  expect(question.args[1]).toEqual({ upload: expect.any(Number), offset: 0, size, key })
  expect(question.args[2]).toHaveLength(0)
  question.answer({ ok: true, received: 2 * LIMITS.chunkBytes })
  expect(wire.requests.map(({ args }) => (args[1] as ChunkRequest).offset)).toEqual(
    [2, 3, 4, 5].map((chunk) => chunk * LIMITS.chunkBytes),
  )
  while (wire.count('chunk') > 0) answerChunks(wire, 1)
  wire.take('update').answer(saved(1))
  wire.take('update').answer(saved(2))
  expect(provider.saveState).toBe('saved')
  expect(progress.at(0)).toBe(0)
  expect(progress.at(-1)).toBe(1)
  expect(progress).toEqual([...progress].sort((left, right) => left - right))
})

test('T20 [UP3] an upload that the server lost is begun anew at once; lost again, after the next join', () => {
  const { clock, type, join } = scene()
  const wire = join()
  type('p'.repeat(600_000))
  clock.endTurn()
  const chunks = wire.count('chunk')
  for (let chunk = 0; chunk < chunks; chunk++) wire.take('chunk').refuse('upload-lost')
  // The refusals of all that was outstanding make one question.
  const question = wire.take('chunk')
  expect(question.args[2]).toHaveLength(0)
  question.answer({ ok: true, received: 0 })
  expect(wire.count('chunk')).toBe(chunks)
  expect(wire.requests.map(({ args }) => (args[1] as ChunkRequest).offset)[0]).toBe(0)
  for (let chunk = 0; chunk < chunks; chunk++) wire.take('chunk').refuse('upload-lost')
  expect(wire.count('chunk')).toBe(0)
  clock.advance(400)
  wire.take('join').answer(joined())
  expect(wire.take('chunk').args[2]).toHaveLength(0)
})

test('whenSaved ends with its time, its signal, or the provider', async () => {
  const { provider, clock, type } = scene({ connect: false })
  await provider.whenSaved()
  type('a')
  const late = provider.whenSaved({ timeoutMs: 500 })
  const controller = new AbortController()
  const aborted = provider.whenSaved({ signal: controller.signal })
  const destroyed = provider.whenSaved()
  await Promise.resolve()
  clock.advance(500)
  controller.abort(new Error('enough'))
  await expect(late).rejects.toMatchObject({ code: 'save-timeout' })
  await expect(aborted).rejects.toThrow('enough')
  provider.destroy()
  await expect(destroyed).rejects.toMatchObject({ code: 'destroyed' })
  expect(clock.timers).toBe(0)
})

test('unsyncedChanges is told at every change of the number', () => {
  const { provider, clock, type, join } = scene()
  const numbers: number[] = []
  provider.on('unsyncedChanges', ({ number }) => numbers.push(number))
  const wire = join()
  type('a')
  type('b')
  clock.endTurn()
  wire.take('update').answer(saved(1))
  expect(numbers).toEqual([1, 2, 0])
})

test('T20 a paste that was refused for its size and is undone is no obstacle any more, without a reload', () => {
  const { provider, doc, clock, type, join, text } = scene()
  const undo = new Y.UndoManager(doc.getText('body'))
  const wire = join({ limits: { updateBytes: 1000, chunkBytes: 500, presenceBytes: 1000 } })
  type('x'.repeat(2000))
  clock.endTurn()
  expect(provider.saveState).toBe('rejected')
  undo.undo()
  type('after')
  clock.advance(5000)
  const { args, answer } = wire.take('update')
  expect((args[1] as Uint8Array).length).toBeLessThan(100)
  answer({ ok: true, seq: 1, entry: true })
  expect([provider.saveState, text()]).toEqual(['saved', 'after'])
  const server = new Y.Doc()
  Y.applyUpdate(server, args[1] as Uint8Array)
  expect(server.getText('body').toJSON()).toBe('after')
  expect(Y.encodeStateVector(server)).toEqual(Y.encodeStateVector(doc))
})
