import { IDBOpenDBRequest } from 'fake-indexeddb'
import { expect, test, vi } from 'vitest'
import * as Y from 'yjs'
import { IndexedDBPersistence } from '../../../client/index.ts'
import { joined, OtherEditor } from '../scripted-network.ts'
import { freshDevice, rowsOf, textOf, visit } from './device.ts'
import { eventually } from '../../support/patience.ts'

freshDevice()

test('[LOCAL1] offline: unsaved until the transaction is complete, then saved-locally; both survive a reload', async () => {
  const first = visit()
  await first.provider.whenLocalSynced
  expect(first.provider.saveState).toBe('saved')
  first.type('hello')
  expect(first.provider.saveState).toBe('unsaved')
  await first.stored()
  expect(first.provider.saveState).toBe('saved-locally')
  await first.leave()
  const second = visit()
  // Before anything is read: nobody knows, and nothing of this page is at risk.
  expect(second.provider.saveState).toBe('saved-locally')
  await second.provider.whenLocalSynced
  expect(second.text()).toBe('hello')
  expect(second.provider.saveState).toBe('saved-locally')
  expect(second.provider.unsyncedChanges).toBe(1)
  expect(second.provider.synced).toBe(false)
  expect(second.states).not.toContain('saved')
  const wire = second.join()
  const upload = wire.take('update')
  expect(second.provider.saveState).toBe('saving')
  upload.answer({ ok: true, seq: 1, entry: true })
  expect(second.provider.saveState).toBe('saved')
  await second.leave()
  expect((await rowsOf('draft')).pending.size).toBe(0)
  const third = visit()
  await third.provider.whenLocalSynced
  expect(third.provider.saveState).toBe('saved')
  const again = third.join({ seq: 1, stateVector: Y.encodeStateVector(third.doc) })
  expect(again.count('update')).toBe(0)
})

test('T61 [LOCAL2] a deletion made offline survives a reload, is shown as pending, and is uploaded alone', async () => {
  const first = visit()
  await first.provider.whenLocalSynced
  first.type('hello')
  first.join().take('update').answer({ ok: true, seq: 1, entry: true })
  const server = Y.encodeStateAsUpdate(first.doc)
  first.network.wire.break()
  first.doc.getText('body').delete(0, 2)
  await first.stored()
  await first.leave()
  const second = visit()
  await second.provider.whenLocalSynced
  expect(second.text()).toBe('llo')
  expect(second.provider.saveState).toBe('saved-locally')
  const stateVector = Y.encodeStateVectorFromUpdate(server)
  // The vectors are equal: only the ledger knows.
  expect(stateVector).toEqual(Y.encodeStateVector(second.doc))
  const pending = second.provider.pendingUpdate() as Uint8Array
  expect(pending.length).toBeLessThan(20)
  const upload = second.join({ seq: 1, stateVector }).take('update')
  const healed = new Y.Doc()
  Y.applyUpdate(healed, server)
  Y.applyUpdate(healed, upload.args[1] as Uint8Array)
  expect(healed.getText('body').toJSON()).toBe('llo')
})

test('T62 what is loaded is not uploaded, deletions included', async () => {
  const other = new OtherEditor()
  other.type('from the server')
  other.doc.getText('body').delete(0, 5)
  const server = Y.encodeStateAsUpdate(other.doc)
  const first = visit()
  await first.provider.whenLocalSynced
  first.join({ seq: 1, stateVector: other.stateVector, updates: [server] })
  await eventually(async () => expect(await textOf('draft')).toBe('the server'))
  await first.leave()
  const second = visit()
  await second.provider.whenLocalSynced
  expect(second.provider.saveState).toBe('saved')
  expect(second.join({ seq: 1, stateVector: other.stateVector }).count('update')).toBe(0)
  expect(second.states.slice(0, 2)).toEqual(['saved-locally', 'saved'])
})

test('T15 [LOCAL6] after a reload: the history that is stored is told at the join, and another one is not merged', async () => {
  const first = visit()
  await first.provider.whenLocalSynced
  first.join({ epoch: 'old' })
  first.network.wire.break()
  first.type('unsent')
  await first.stored()
  await first.leave()
  const second = visit()
  await second.provider.whenLocalSynced
  const { wire } = second.network
  wire.open()
  const request = wire.take('join')
  expect(request.args[0].epoch).toBe('old')
  request.refuse('document-reset')
  expect(second.errors).toContain('document-reset')
  expect(second.text()).toBe('unsent')
  // What is made of it is the application's choice: the bytes are there.
  await second.persistence.setAside()
  const third = visit()
  await third.provider.whenLocalSynced
  expect(third.text()).toBe('')
  expect(third.provider.saveState).toBe('saved')
  const [aside] = await third.persistence.asideCopies()
  expect(aside?.epoch).toBe('old')
  for (const update of [aside?.update, aside?.pendingUpdate]) {
    const doc = new Y.Doc()
    Y.applyUpdate(doc, update as Uint8Array)
    expect(doc.getText('body').toJSON()).toBe('unsent')
  }
  third.join({ epoch: 'new' })
  third.type('anew')
  third.network.wire.break()
  await third.stored()
  expect((await rowsOf('draft')).label.epoch).toBe('new')
  await third.persistence.clearAsideCopies()
  expect(await third.persistence.asideCopies()).toEqual([])
})

test('T15 [LOCAL6] a page that stays open while another sets the copy aside writes nothing into the next history', async () => {
  const stale = visit()
  await stale.provider.whenLocalSynced
  stale.type('old')
  await stale.stored()
  const other = visit()
  await other.provider.whenLocalSynced
  await other.persistence.setAside()
  stale.type('more')
  await eventually(() => expect(stale.errors).toContain('document-reset'))
  expect(stale.provider.saveState).toBe('unsaved')
  expect((await rowsOf('draft')).rows).toEqual([])
})

test('T15 [LOCAL6] of two pages that heard of different histories, the later one neither writes to the copy nor sets it aside', async () => {
  const [first, later] = [visit(), visit()]
  await Promise.all([first.provider.whenLocalSynced, later.provider.whenLocalSynced])
  first.join({ epoch: 'one' }).break()
  first.type('kept')
  await first.stored()
  later.join({ epoch: 'two' }).break()
  later.type('of the other')
  await eventually(() => expect(later.errors).toContain('document-reset'))
  expect(later.provider.saveState).toBe('unsaved')
  await later.persistence.setAside()
  expect((await rowsOf('draft')).label.epoch).toBe('one')
  expect(await textOf('draft')).toBe('kept')
  first.type(', and more')
  await first.stored()
  expect(await textOf('draft')).toBe('kept, and more')
  expect(first.errors).toEqual([])
})

test('T15 [LOCAL6] a copy that is read only after the join is not mixed with another history, but set aside', async () => {
  const first = visit()
  await first.provider.whenLocalSynced
  first.type('old')
  first.join({ epoch: 'old' })
  await first.leave()
  const second = visit({ waitForPersistence: false })
  const other = new OtherEditor()
  second.join({
    epoch: 'new',
    seq: 1,
    updates: [other.type('new')],
    stateVector: other.stateVector,
  })
  await second.provider.whenLocalSynced
  expect(second.text()).toBe('new')
  await second.leave()
  expect(await textOf('draft')).toBe('new')
  const third = visit()
  expect(await third.persistence.asideCopies()).toHaveLength(1)
})

test('T15 a copy that is read between the question and the answer of a join is not mixed either', async () => {
  const first = visit()
  await first.provider.whenLocalSynced
  first.type('old')
  first.join({ epoch: 'old' })
  await first.leave()
  const second = visit({ waitForPersistence: false })
  const { wire } = second.network
  wire.open()
  const request = wire.take('join')
  expect(request.args[0].epoch).toBeUndefined()
  await second.provider.whenLocalSynced
  const other = new OtherEditor()
  const updates = [other.type('new')]
  request.answer(joined({ epoch: 'new', seq: 1, updates, stateVector: other.stateVector }))
  // The late copy made the client ask again, or end: in no case are the two texts one.
  expect(second.text()).toBe('old')
  if (wire.count('join') > 0) {
    const again = wire.take('join')
    expect(again.args[0].epoch).toBe('old')
  }
})

test('[LOCAL9] the join waits for the copy, but not for ever', async () => {
  vi.spyOn(indexedDB, 'open').mockImplementation(() => new IDBOpenDBRequest() as never)
  const page = visit()
  page.network.wire.open()
  page.clock.advance(1999)
  expect(page.network.wire.count('join')).toBe(0)
  page.clock.advance(1)
  expect(page.network.wire.count('join')).toBe(1)
  page.join()
  // Nobody knows whether the copy holds what no server has.
  expect(page.provider.saveState).toBe('saving')
  page.clock.advance(20_000)
  await eventually(() => expect(page.errors).toContain('persistence-blocked'))
  vi.spyOn(page.persistence, 'destroy').mockResolvedValue()
})

test('[LOCAL9] a copy with unsent changes that is read after the join makes the client compare anew', async () => {
  const first = visit()
  await first.provider.whenLocalSynced
  first.type('unsent')
  await first.stored()
  await first.leave()
  const second = visit({ waitForPersistence: false })
  const wire = second.join()
  expect(wire.count('update')).toBe(0)
  await second.provider.whenLocalSynced
  expect(second.provider.saveState).not.toBe('saved')
  second.join()
  wire.take('update').answer({ ok: true, seq: 1, entry: true })
  expect(second.provider.saveState).toBe('saved')
})

test('T51 a reader does not make unsent changes forgotten', async () => {
  const first = visit()
  await first.provider.whenLocalSynced
  first.type('unsent')
  await first.stored()
  await first.leave()
  const second = visit()
  await second.provider.whenLocalSynced
  second.join({ access: 'read' })
  expect(second.provider.saveState).toBe('rejected')
  expect(second.provider.pendingUpdate()).not.toBeNull()
  await second.leave()
  expect((await rowsOf('draft')).pending.size).toBe(1)
})

test('confirmed while it is being written: the row does not stay marked', async () => {
  const page = visit()
  await page.provider.whenLocalSynced
  const wire = page.join()
  page.type('a')
  page.clock.endTurn()
  wire.take('update').answer({ ok: true, seq: 1, entry: true })
  page.type('b')
  page.clock.endTurn()
  await page.stored()
  wire.take('update').answer({ ok: true, seq: 2, entry: true })
  await page.leave()
  const { pending } = await rowsOf('draft')
  expect(pending.size).toBe(0)
  expect(await textOf('draft')).toBe('ab')
})

test('[LOCAL2] a page does not confirm what another page of the document has not sent', async () => {
  const [left, right] = [visit(), visit()]
  await Promise.all([left.provider.whenLocalSynced, right.provider.whenLocalSynced])
  right.type('unsent')
  await right.stored()
  left.type('sent')
  left.join().take('update').answer({ ok: true, seq: 1, entry: true })
  expect(left.provider.saveState).toBe('saved')
  await left.leave()
  expect((await rowsOf('draft')).pending.size).toBe(1)
})

test('clearLocalData deletes what is stored; the provider goes on without', async () => {
  const page = visit()
  await page.provider.whenLocalSynced
  page.type('a')
  await page.stored()
  await page.provider.clearLocalData()
  expect(page.provider.saveState).toBe('unsaved')
  page.type('b')
  expect((await rowsOf('draft')).rows).toEqual([])
  page.join().take('update').answer({ ok: true, seq: 1, entry: true })
  expect(page.provider.saveState).toBe('saved')
})

test('T65 a persistence that a function made ends with the provider; one that was given stays', async () => {
  let made!: IndexedDBPersistence
  const page = visit({
    database: 'given',
    persistence: (name, doc) => (made = new IndexedDBPersistence(name, doc)),
  })
  await page.provider.whenLocalSynced
  page.provider.destroy()
  page.type('late')
  await page.stored()
  await made.destroy()
  expect(await textOf('draft')).toBe('')
  expect(await textOf('given')).toBe('late')
})

test('whenLoaded, and the load event of the Y.Doc: from the disk when there is one, else from the server', async () => {
  const offline = visit()
  const loads: unknown[] = []
  offline.doc.on('load', (doc: Y.Doc) => loads.push(doc))
  expect(await offline.provider.whenLoaded).toBe(offline.provider)
  expect([offline.doc.isLoaded, loads]).toEqual([true, [offline.doc]])
  offline.join()
  expect(loads).toHaveLength(1)
  const online = visit({ persistence: null })
  expect(await online.provider.whenLocalSynced).toBe(online.provider)
  expect([online.provider.localSynced, online.doc.isLoaded]).toEqual([false, false])
  online.join()
  await online.provider.whenLoaded
  expect(online.doc.isLoaded).toBe(true)
})
