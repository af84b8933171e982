import { expect, test } from 'vitest'
import * as Y from 'yjs'
import type { JoinRequest } from '../../protocol/index.ts'
import { HANDLE, joined, OtherEditor } from './scripted-network.ts'
import { scene } from './scene.ts'

const bytes = (answer: Uint8Array | undefined): Uint8Array => answer as Uint8Array

test('the first join names the document and what it holds; the next one the position in the log', () => {
  const { doc, clock, network } = scene()
  network.wire.open()
  expect(network.wire.target.auth).toEqual({ protocol: 1 })
  const request = network.wire.take('join')
  expect(request.args[0]).toEqual({
    document: 'draft',
    clientId: doc.clientID,
    key: expect.stringMatching(/^.{16,128}$/),
    attempt: 1,
    stateVector: new Uint8Array([0]),
  } satisfies JoinRequest)
  const other = new OtherEditor()
  request.answer(joined({ seq: 3, updates: [other.type('abc')], stateVector: other.stateVector }))
  network.wire.break()
  clock.advance(400)
  network.wire.open()
  const [again] = network.wire.take('join').args
  expect(again).toMatchObject({ epoch: 'epoch-1', seq: 3, stateVector: other.stateVector })
  expect(again.key).toBe(request.args[0].key)
})

test('T60 synced once everything up to the head of the join is applied, and not before', async () => {
  const { provider, doc, join, events, text, wire } = scene()
  const other = new OtherEditor()
  const log = ['a', 'b', 'c'].map((letter) => other.type(letter))
  join({ seq: 1, head: 3, updates: [bytes(log[0])], stateVector: other.stateVector })
  expect(provider.synced).toBe(false)
  const page = wire.take('pull')
  expect(page.args).toEqual([HANDLE, { epoch: 'epoch-1', after: 1, chunked: true }])
  page.answer({ ok: true, seq: 2, updates: [bytes(log[1])] })
  expect(provider.synced).toBe(false)
  wire.take('pull').answer({ ok: true, seq: 3, updates: [bytes(log[2])] })
  expect(provider.synced).toBe(true)
  expect(text()).toBe('abc')
  expect(wire.count('pull')).toBe(0)
  expect(events.filter((event) => event.startsWith('sync'))).toEqual(['sync:true', 'synced:true'])
  await expect(provider.whenSynced).resolves.toBe(provider)
  await doc.whenSynced
  await doc.whenLoaded
  expect(doc.isSynced).toBe(true)
})

test('synced falls with the connection, rises with the next join, and is told at both edges', async () => {
  const { provider, doc, clock, join, wire, events } = scene()
  join()
  wire.break()
  expect(provider.isSynced).toBe(false)
  expect(doc.isSynced).toBe(false)
  const again = provider.whenSynced
  clock.advance(400)
  join()
  await again
  expect(doc.isSynced).toBe(true)
  expect(events.filter((event) => event.startsWith('sync'))).toEqual([
    'sync:true',
    'synced:true',
    'sync:false',
    'sync:true',
    'synced:true',
  ])
})

test('T66 remote updates have the provider as origin, are not local, and are nobody’s to undo', () => {
  const { provider, doc, join, type, text, clock } = scene()
  const undo = new Y.UndoManager(doc.getText('body'))
  const transactions: { origin: unknown; local: boolean }[] = []
  doc.on('afterTransaction', ({ origin, local }: Y.Transaction) => {
    transactions.push({ origin, local })
  })
  const other = new OtherEditor()
  const log = ['a', 'b', 'c'].map((letter) => other.type(letter))
  const wire = join({ seq: 2, updates: log.slice(0, 2), stateVector: other.stateVector })
  expect(transactions).toEqual([{ origin: provider, local: false }])
  wire.relay(HANDLE, 3, 3, bytes(log[2]))
  expect(transactions).toHaveLength(2)
  expect(transactions[1]).toEqual({ origin: provider, local: false })
  expect(undo.undoStack).toHaveLength(0)
  type('mine')
  undo.undo()
  expect(text()).toBe('abc')
  clock.endTurn()
  expect(wire.count('update')).toBe(1)
  undo.destroy()
})

test('a remote update is not sent back', () => {
  const { provider, clock, join } = scene()
  const wire = join()
  wire.relay(HANDLE, 1, 1, new OtherEditor().type('a'))
  clock.advance(5000)
  expect(wire.count('update')).toBe(0)
  expect(provider.unsyncedChanges).toBe(0)
})

test('T29 a lost relay is noticed by the next one, and read from the log', () => {
  const { clock, join, text } = scene()
  const other = new OtherEditor()
  const log = ['a', 'b', 'c', 'd'].map((letter) => other.type(letter))
  const wire = join()
  wire.relay(HANDLE, 1, 1, bytes(log[0]))
  wire.relay(HANDLE, 3, 3, bytes(log[2]))
  wire.relay(HANDLE, 4, 4, bytes(log[3]))
  expect(text()).toBe('a')
  const pull = wire.take('pull')
  expect(pull.args[1]).toEqual({ epoch: 'epoch-1', after: 1, chunked: true })
  expect(wire.count('pull')).toBe(0)
  pull.answer({ ok: true, seq: 3, updates: log.slice(1, 3) })
  wire.take('pull').answer({ ok: true, seq: 4, updates: log.slice(3) })
  expect(text()).toBe('abcd')
  clock.advance(60_000)
  expect(wire.count('pull')).toBe(0)
})

test('a relay that overlaps what is known is applied once in effect and moves the position', () => {
  const { join, text } = scene()
  const other = new OtherEditor()
  other.type('a')
  other.type('b')
  const wire = join()
  wire.relay(HANDLE, 1, 2, Y.mergeUpdates(other.log))
  wire.relay(HANDLE, 1, 2, Y.mergeUpdates(other.log))
  other.type('c')
  wire.relay(HANDLE, 2, 3, Y.mergeUpdates(other.log.slice(1)))
  expect(text()).toBe('abc')
  expect(wire.count('pull')).toBe(0)
})

test('own entries are known from their acknowledgements: their absence is no hole', () => {
  const { clock, join, type, text } = scene()
  const other = new OtherEditor()
  const wire = join()
  type('x')
  clock.endTurn()
  wire.take('update').answer({ ok: true, seq: 1, entry: true })
  wire.relay(HANDLE, 2, 2, other.type('a'))
  expect(text()).toHaveLength(2)
  clock.advance(60_000)
  expect(wire.count('pull')).toBe(0)
})

test('T29 an acknowledgement beyond what was relayed, and then silence: the log is read', () => {
  const { clock, join, type, text } = scene()
  const other = new OtherEditor()
  const lost = other.type('lost')
  const wire = join()
  type('x')
  clock.endTurn()
  wire.take('update').answer({ ok: true, seq: 2, entry: true })
  expect(wire.count('pull')).toBe(0)
  clock.advance(2000)
  wire.take('pull').answer({ ok: true, seq: 2, updates: [lost] })
  expect(text()).toContain('lost')
  clock.advance(60_000)
  expect(wire.count('pull')).toBe(0)
})

test('an update that changed nothing is no entry: the next join asks from before it', () => {
  const { clock, doc, join, network } = scene()
  const other = new OtherEditor()
  const wire = join({ seq: 1, updates: [other.type('abc')], stateVector: other.stateVector })
  doc.getText('body').delete(0, 1)
  clock.endTurn()
  // Somebody deleted the same and wrote something, too: the head is theirs.
  wire.take('update').answer({ ok: true, seq: 2, entry: false })
  wire.break()
  clock.advance(400)
  network.wire.open()
  expect(network.wire.take('join').args[0].seq).toBe(1)
})

test('T29 an update that changed nothing does not pass for the entry at the head: the hole is filled', () => {
  const { clock, doc, join, text } = scene()
  const other = new OtherEditor()
  const wire = join({ seq: 1, updates: [other.type('abc')], stateVector: other.stateVector })
  doc.getText('body').delete(0, 1)
  clock.endTurn()
  other.doc.transact(() => {
    other.doc.getText('body').delete(0, 1)
    other.doc.getText('body').insert(2, '!')
  })
  const lost = bytes(other.log.at(-1))
  wire.take('update').answer({ ok: true, seq: 2, entry: false })
  wire.relay(HANDLE, 3, 3, other.type('?'))
  const pull = wire.take('pull')
  expect(pull.args[1]).toEqual({ epoch: 'epoch-1', after: 1, chunked: true })
  pull.answer({ ok: true, seq: 3, updates: [lost, bytes(other.log.at(-1))] })
  expect(text()).toBe('bc!?')
  clock.advance(60_000)
  expect(wire.count('pull')).toBe(0)
})

test('a refused pull joins again', () => {
  const { clock, join, wire, provider } = scene()
  join()
  const other = new OtherEditor()
  other.type('a')
  wire.relay(HANDLE, 2, 2, other.type('b'))
  wire.take('pull').refuse('cursor-too-old')
  expect(provider.synced).toBe(false)
  clock.advance(400)
  const [request] = wire.take('join').args
  expect(request.seq).toBe(0)
})

test('T15 another epoch ends it: nothing is merged, unsent edits are kept', async () => {
  const { provider, clock, type, join, wire, events, text, network } = scene()
  join()
  wire.break()
  type('mine')
  clock.advance(400)
  const other = new OtherEditor()
  const next = join({ epoch: 'epoch-2', seq: 1, updates: [other.type('theirs')] })
  expect(text()).toBe('mine')
  expect(next.count('update')).toBe(0)
  expect(events.slice(-3)).toEqual([
    'disconnected',
    'error:document-reset',
    'closed:4409 document-reset',
  ])
  expect(provider.shouldConnect).toBe(false)
  await expect(provider.whenSaved()).rejects.toMatchObject({ code: 'document-reset' })
  const kept = new Y.Doc()
  Y.applyUpdate(kept, bytes(provider.pendingUpdate() ?? undefined))
  expect(kept.getText('body').toJSON()).toBe('mine')
  clock.advance(120_000)
  expect(network.wires).toHaveLength(2)
})

test('T15 a join refused with document-reset is final', async () => {
  const { provider, clock, wire, events } = scene()
  const whenSynced = provider.whenSynced
  wire.open()
  wire.take('join').refuse('document-reset')
  await expect(whenSynced).rejects.toMatchObject({ code: 'document-reset', permanent: true })
  clock.advance(120_000)
  expect(wire.count('join')).toBe(0)
  expect(events.at(-1)).toBe('closed:4409 document-reset')
})

test('T56 a refused join: transient ones are tried again ever later, permanent ones never', () => {
  const { clock, wire, events, provider } = scene()
  wire.open()
  const pauses: number[] = []
  for (let round = 0; round < 4; round++) {
    wire.take('join').refuse('storage-unavailable')
    const startedAt = clock.now()
    while (wire.count('join') === 0) clock.advance(50)
    pauses.push(clock.now() - startedAt)
  }
  expect(pauses).toEqual([400, 800, 1600, 3200])
  wire.take('join').refuse('forbidden')
  clock.advance(120_000)
  expect(wire.count('join')).toBe(0)
  expect(provider.status).toBe('disconnected')
  expect(events.at(-1)).toBe('closed:4403 forbidden')
  provider.connect()
  expect(provider.status).toBe('connecting')
})

test('closed with resync joins again; closed for good ends', () => {
  const { clock, join, wire, events } = scene()
  join()
  wire.sendClosed(HANDLE, 'reader-too-slow')
  expect(wire.count('join')).toBe(0)
  clock.advance(400)
  join()
  wire.sendClosed(HANDLE, 'document-deleted')
  clock.advance(120_000)
  expect(wire.count('join')).toBe(0)
  expect(events.at(-1)).toBe('closed:4404 document-deleted')
})

test('T21 a large snapshot comes in chunks, four at a time, with progress; relays meanwhile are not lost', () => {
  const { provider, join, text, wire } = scene()
  const progress: number[] = []
  provider.on('progress', ({ received, total }) => progress.push(received / total))
  const other = new OtherEditor()
  const snapshot = other.type('s'.repeat(95))
  const tail = other.type('t')
  const chunkBytes = 10
  join({
    seq: 6,
    snapshot: { seq: 5, bytes: snapshot.length, chunkBytes },
    updates: [tail],
    stateVector: other.stateVector,
  })
  expect(wire.count('pull')).toBe(4)
  wire.relay(HANDLE, 7, 7, other.type('r'))
  let chunks = 0
  while (wire.count('pull') > 0) {
    expect(provider.synced).toBe(false)
    expect(text()).toBe('')
    const { args, answer } = wire.take('pull')
    expect(args[1]).toEqual({ epoch: 'epoch-1', snapshot: 5, chunk: chunks })
    const begin = chunks++ * chunkBytes
    answer({ ok: true, seq: 5, updates: [snapshot.slice(begin, begin + chunkBytes)] })
    if (begin + chunkBytes >= snapshot.length) break
  }
  expect(chunks).toBe(Math.ceil(snapshot.length / chunkBytes))
  expect(provider.synced).toBe(true)
  expect(text()).toBe(`${'s'.repeat(95)}t`)
  expect(progress[0]).toBe(0)
  expect(progress.at(-1)).toBe(1)
  expect(progress).toEqual([...progress].sort((left, right) => left - right))
  const rest = wire.take('pull')
  expect(rest.args[1]).toEqual({ epoch: 'epoch-1', after: 6, chunked: true })
  rest.answer({ ok: true, seq: 7, updates: [bytes(other.log.at(-1))] })
  expect(text()).toBe(`${'s'.repeat(95)}tr`)
})

test('a snapshot that was replaced while it loaded: the client joins again, edits meanwhile are kept', () => {
  const { clock, type, join, wire, provider } = scene()
  join({ seq: 5, snapshot: { seq: 5, bytes: 100, chunkBytes: 10 } })
  type('x')
  wire.take('pull').refuse('snapshot-replaced')
  const stale = wire.requests.splice(0)
  expect(stale).toHaveLength(3)
  clock.advance(400)
  const other = new OtherEditor()
  for (const request of stale.slice(0, 2))
    request.answer({ ok: true, seq: 5, updates: [new Uint8Array(10)] })
  expect(provider.synced).toBe(false)
  join({ seq: 6, updates: [other.type('new')], stateVector: other.stateVector })
  expect(provider.synced).toBe(true)
  stale[2]?.refuse('snapshot-replaced')
  expect(provider.synced).toBe(true)
  expect(wire.count('update')).toBe(1)
})

test('T21 [SYNC6] a snapshot half loaded when the line broke goes on where it was', () => {
  const { provider, clock, join, text, network } = scene()
  const progress: number[] = []
  provider.on('progress', ({ received, total }) => progress.push(received / total))
  const other = new OtherEditor()
  const snapshot = other.type('s'.repeat(60))
  const chunkBytes = 10
  const reference = { seq: 5, bytes: snapshot.length, chunkBytes }
  const answerChunks = (count: number): number[] =>
    Array.from({ length: count }, () => {
      const { args, answer } = network.wire.take('pull')
      const { chunk } = args[1] as { chunk: number }
      const begin = chunk * chunkBytes
      answer({ ok: true, seq: 5, updates: [snapshot.slice(begin, begin + chunkBytes)] })
      return chunk
    })
  join({ seq: 5, snapshot: reference, stateVector: other.stateVector })
  expect(answerChunks(2)).toEqual([0, 1])
  network.wire.break()
  clock.advance(400)
  join({ seq: 5, snapshot: reference, stateVector: other.stateVector })
  expect(answerChunks(Math.ceil(snapshot.length / chunkBytes) - 2)).toEqual([2, 3, 4, 5, 6, 7])
  expect(provider.synced).toBe(true)
  expect(text()).toBe('s'.repeat(60))
  expect(progress.filter((share) => share === 0)).toHaveLength(1)
  expect(progress).toEqual([...progress].sort((left, right) => left - right))
})

test('T21 [SYNC6] what was begun is finished though a newer snapshot is offered, and the log after it read', () => {
  const { provider, clock, join, text, network } = scene()
  const other = new OtherEditor()
  const older = other.type('s'.repeat(20))
  const since = other.type('t')
  const chunkBytes = 30
  join({ seq: 5, snapshot: { seq: 5, bytes: older.length, chunkBytes } })
  network.wire.take('pull').answer({ ok: true, seq: 5, updates: [older.slice(0, chunkBytes)] })
  network.wire.break()
  clock.advance(400)
  join({ seq: 6, snapshot: { seq: 6, bytes: 1000, chunkBytes }, stateVector: other.stateVector })
  const rest = network.wire.take('pull')
  expect(rest.args[1]).toEqual({ epoch: 'epoch-1', snapshot: 5, chunk: 1 })
  rest.answer({ ok: true, seq: 5, updates: [older.slice(chunkBytes)] })
  const page = network.wire.take('pull')
  expect(page.args[1]).toEqual({ epoch: 'epoch-1', after: 5, chunked: true })
  page.answer({ ok: true, seq: 6, updates: [since] })
  expect(provider.synced).toBe(true)
  expect(text()).toBe(`${'s'.repeat(20)}t`)
})

test('T21 [SYNC6] where the server no longer has it, the newer one is loaded, and progress does not fall', () => {
  const { provider, clock, join, text, network } = scene()
  const progress: { received: number; total: number }[] = []
  provider.on('progress', (event) => progress.push(event))
  const other = new OtherEditor()
  const newer = other.type('s'.repeat(20))
  const chunkBytes = 30
  join({ seq: 5, snapshot: { seq: 5, bytes: 300, chunkBytes } })
  network.wire.take('pull').answer({ ok: true, seq: 5, updates: [new Uint8Array(chunkBytes)] })
  network.wire.break()
  clock.advance(400)
  const wire = join({
    seq: 6,
    snapshot: { seq: 6, bytes: newer.length, chunkBytes },
    stateVector: other.stateVector,
  })
  wire.take('pull').refuse('snapshot-replaced')
  // The others of the old one are refused as well, which concerns nobody any more.
  for (let index = 0; index < 3; index++) wire.take('pull').refuse('snapshot-replaced')
  for (const chunk of [0, 1]) {
    const { args, answer } = wire.take('pull')
    expect(args[1]).toEqual({ epoch: 'epoch-1', snapshot: 6, chunk })
    const bytes = newer.slice(chunk * chunkBytes, (chunk + 1) * chunkBytes)
    answer({ ok: true, seq: 6, updates: [bytes] })
  }
  expect(provider.synced).toBe(true)
  expect(text()).toBe('s'.repeat(20))
  const received = progress.map((event) => event.received)
  expect(received).toEqual([...received].sort((left, right) => left - right))
  // What came in vain stays counted, on both sides.
  const all = chunkBytes + newer.length
  expect(progress.at(-1)).toEqual({ received: all, total: all })
})

test('an observer that throws is told as an error and disturbs nothing', () => {
  const { provider, doc, join, text, events } = scene()
  const wire = join()
  doc.getText('body').observe(() => {
    throw new Error('editor bug')
  })
  const other = new OtherEditor()
  wire.relay(HANDLE, 1, 1, other.type('a'))
  wire.relay(HANDLE, 2, 2, other.type('b'))
  expect(text()).toBe('ab')
  expect(events.filter((event) => event === 'error:apply-failed')).toHaveLength(2)
  expect(provider.synced).toBe(true)
  expect(wire.count('pull')).toBe(0)
})
