import { expect, test, vi } from 'vitest'
import * as Y from 'yjs'
import { freshDevice, rowsOf, visit } from './device.ts'
import { eventually } from '../../support/patience.ts'

freshDevice()

test('[LOCAL10] a document that is opened again in one page has what was typed last, though that was still being stored', async () => {
  const first = visit()
  await first.provider.whenLocalSynced
  // The list of documents comes before the change: that takes longer than reading what is stored.
  const listing = new Promise<void>((resolve) => {
    const open = indexedDB.open.bind(indexedDB)
    vi.spyOn(indexedDB, 'open').mockImplementation((name) => {
      if (name === 'y-rooms:documents') resolve()
      return open(name)
    })
  })
  first.type('typed and left')
  await listing
  // Nobody waits for it: as a component that is unmounted and mounted again.
  first.provider.destroy()
  void first.persistence.destroy()
  const second = visit()
  await second.provider.whenLocalSynced
  expect(second.text()).toBe('typed and left')
  expect(second.provider.saveState).toBe('saved-locally')
})

test('[LOCAL10] T61 what a page stored after another had read the database is taken up when it goes, and uploaded', async () => {
  const [staying, going] = [visit(), visit()]
  await Promise.all([staying.provider.whenLocalSynced, going.provider.whenLocalSynced])
  going.type('last words')
  await going.stored()
  await going.leave()
  expect(staying.text()).toBe('')
  staying.persistence.handlePageGone()
  staying.clock.advance(2000)
  await eventually(() => expect(staying.text()).toBe('last words'))
  expect(staying.provider.saveState).toBe('saved-locally')
  const upload = staying.join().take('update')
  const server = new Y.Doc()
  Y.applyUpdate(server, upload.args[1] as Uint8Array)
  expect(server.getText('body').toJSON()).toBe('last words')
  upload.answer({ ok: true, seq: 1, entry: true })
  expect(staying.provider.saveState).toBe('saved')
  staying.clock.advance(250)
  await eventually(async () => expect((await rowsOf('draft')).pending.size).toBe(0))
})

test('[LOCAL10] marks of a page that is gone are taken off without an upload when the server has their changes', async () => {
  const [staying, going] = [visit(), visit()]
  await Promise.all([staying.provider.whenLocalSynced, going.provider.whenLocalSynced])
  going.type('known')
  await going.stored()
  const known = Y.encodeStateAsUpdate(going.doc)
  await going.leave()
  const stateVector = Y.encodeStateVector(going.doc)
  const wire = staying.join({ seq: 1, updates: [known], stateVector })
  expect(staying.provider.saveState).toBe('saved')
  expect((await rowsOf('draft')).pending.size).toBe(1)
  staying.persistence.handlePageGone()
  staying.clock.advance(2000)
  await eventually(async () => {
    staying.clock.advance(250)
    expect((await rowsOf('draft')).pending.size).toBe(0)
  })
  expect(wire.count('update')).toBe(0)
  expect(staying.provider.saveState).toBe('saved')
})

test('[LOCAL10] rows of another history are left alone', async () => {
  const [staying, going] = [visit(), visit()]
  await Promise.all([staying.provider.whenLocalSynced, going.provider.whenLocalSynced])
  going.join({ epoch: 'old' })
  going.network.wire.break()
  going.type('of the old history')
  await going.stored()
  await going.leave()
  staying.join({ epoch: 'new' })
  staying.persistence.handlePageGone()
  staying.clock.advance(2000)
  const reading = rowsOf('draft')
  expect((await reading).pending.size).toBe(1)
  expect(staying.text()).toBe('')
})
