import { expect, test, vi } from 'vitest'
import * as Y from 'yjs'
import { OtherEditor } from '../scripted-network.ts'
import { freshDevice, rowsOf, textOf, visit } from './device.ts'

freshDevice()

test('offline: unsaved until the transaction is complete, then saved-locally; both survive a reload', async () => {
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

test('T61 a deletion made offline survives a reload, is shown as pending, and is uploaded alone', async () => {
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
  await vi.waitFor(async () => expect(await textOf('draft')).toBe('the server'))
  await first.leave()
  const second = visit()
  await second.provider.whenLocalSynced
  expect(second.provider.saveState).toBe('saved')
  expect(second.join({ seq: 1, stateVector: other.stateVector }).count('update')).toBe(0)
  expect(second.states.slice(0, 2)).toEqual(['saved-locally', 'saved'])
})
