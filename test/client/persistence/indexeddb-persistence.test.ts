import { IDBDatabase, IDBObjectStore, IDBOpenDBRequest } from 'fake-indexeddb'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { IndexeddbPersistence } from 'y-indexeddb'
import * as Y from 'yjs'
import { IndexedDBPersistence } from '../../../client/index.ts'
import { openDatabase, transact } from '../../../client/persistence/indexed-database.ts'
import { ManualClock } from '../manual-clock.ts'
import { OtherEditor } from '../scripted-network.ts'
import { freshDevice, rowsOf, textOf, visit } from './device.ts'
import { eventually } from '../../support/patience.ts'

freshDevice()

interface Local {
  readonly doc: Y.Doc
  readonly persistence: IndexedDBPersistence
  readonly clock: ManualClock
  readonly errors: string[]
  type(text: string): void
}

function local(name = 'draft', doc = new Y.Doc()): Local {
  const clock = new ManualClock()
  const persistence = new IndexedDBPersistence(name, doc, { clock })
  const errors: string[] = []
  persistence.on('error', ({ code }) => errors.push(code))
  onTestFinished(() => persistence.destroy())
  return {
    doc,
    persistence,
    clock,
    errors,
    type: (text) => doc.getText('body').insert(doc.getText('body').length, text),
  }
}

/** Writes one row past every persistence, as another page would. */
async function addRow(database: string, update: Uint8Array): Promise<void> {
  const handle = await openDatabase(database)
  await transact(handle, 'readwrite', 'default', ({ updates }) => {
    updates.add(update)
    return () => undefined
  })
  handle.close()
}

const untilStored = ({ persistence }: Local): Promise<void> =>
  eventually(() => expect(persistence.isStored).toBe(true))

describe('rows', () => {
  test('[LOCAL4] opening a document writes no row, with or without a server that has the same', async () => {
    const first = local()
    await first.persistence.whenSynced
    first.type('hello')
    await first.persistence.destroy()
    const before = await rowsOf('draft')
    expect(before.rows).toHaveLength(1)
    for (let visits = 0; visits < 3; visits++) {
      const again = local()
      await again.persistence.whenSynced
      await again.persistence.destroy()
    }
    // A provider may have filled the document before the persistence was made.
    const filled = new Y.Doc()
    Y.applyUpdate(filled, Y.encodeStateAsUpdate(first.doc))
    const late = local('draft', filled)
    await late.persistence.whenSynced
    await late.persistence.destroy()
    expect(await rowsOf('draft')).toEqual(before)
  })

  test('content from before the persistence is stored, together with what was stored', async () => {
    const first = local()
    await first.persistence.whenSynced
    first.type('stored')
    await first.persistence.destroy()
    const filled = new Y.Doc()
    filled.getText('body').insert(0, 'before')
    const second = local('draft', filled)
    expect(second.persistence.isStored).toBe(false)
    await second.persistence.whenSynced
    await untilStored(second)
    expect(await textOf('draft')).toBe(filled.getText('body').toJSON())
    expect(filled.getText('body').length).toBe(12)
  })

  test('1,000 changes of one turn are one row; what is typed while it is being written is the next', async () => {
    const page = local()
    await page.persistence.whenSynced
    for (let index = 0; index < 1000; index++) page.type('x')
    await untilStored(page)
    expect((await rowsOf('draft')).rows).toHaveLength(1)
  })

  test('[LOCAL4] rows of 600 visits are folded at the next load, and rows of another page that it has not read stay', async () => {
    const other = new OtherEditor()
    for (let index = 0; index < 600; index++) await addRow('draft', other.type('x'))
    const unread = other.type('unread')
    const page = local()
    await page.persistence.whenSynced
    await addRow('draft', unread)
    await eventually(async () => expect((await rowsOf('draft')).rows.length).toBeLessThan(3))
    expect(await textOf('draft')).toBe(`${'x'.repeat(600)}unread`)
    expect((await rowsOf('draft')).rows).toHaveLength(2)
  })

  test('few rows that are much larger than the document are folded by their bytes', async () => {
    const doc = new Y.Doc()
    doc.getText('body').insert(0, 'x'.repeat(100_000))
    // What y-indexeddb does at every opening.
    for (let visits = 0; visits < 3; visits++) await addRow('draft', Y.encodeStateAsUpdate(doc))
    const page = local()
    await page.persistence.whenSynced
    await eventually(async () => expect((await rowsOf('draft')).rows).toHaveLength(1))
    expect(await textOf('draft')).toBe('x'.repeat(100_000))
  })

  test('[LOCAL4] unconfirmed rows are not folded away: their marks would mean nothing', async () => {
    const other = new OtherEditor()
    for (let index = 0; index < 600; index++) await addRow('draft', other.type('x'))
    const first = local()
    first.type('mine')
    await first.persistence.whenSynced
    await untilStored(first)
    await eventually(async () => expect((await rowsOf('draft')).rows).toHaveLength(2))
    const { rows, pending } = await rowsOf('draft')
    expect(rows.filter(({ key }) => pending.has(key))).toHaveLength(1)
  })

  test('a row that cannot be read is told, stops no other, and is kept', async () => {
    const other = new OtherEditor()
    await addRow('draft', other.type('before '))
    await addRow('draft', new Uint8Array([1, 2, 3]))
    await addRow('draft', other.type('after'))
    for (let index = 0; index < 600; index++) await addRow('draft', other.type('.'))
    const page = local()
    await page.persistence.whenSynced
    expect(page.doc.getText('body').toJSON()).toBe(`before after${'.'.repeat(600)}`)
    expect(page.errors).toEqual(['persistence-failed'])
    await page.persistence.destroy()
    expect((await rowsOf('draft')).rows).toHaveLength(603)
  })

  test('changes made while the copy is still being read are stored, even if the page ends before', async () => {
    const page = local()
    page.type('typed at once')
    await page.persistence.destroy()
    expect(await textOf('draft')).toBe('typed at once')
  })

  test('loading is one transaction that is nobody’s edit, with the persistence as its origin', async () => {
    await addRow('draft', new OtherEditor().type('a'))
    await addRow('draft', new OtherEditor().type('b'))
    const page = local()
    const seen: unknown[] = []
    page.doc.on('afterTransaction', ({ origin, local: isLocal }) => seen.push([origin, isLocal]))
    await page.persistence.whenSynced
    expect(seen).toEqual([[page.persistence, false]])
  })
})

describe('trouble', () => {
  test('T67 [LOCAL5] no room: an error once, nothing claimed, tried again, stored when there is room', async () => {
    const page = local()
    await page.persistence.whenSynced
    const add = vi.spyOn(IDBObjectStore.prototype, 'add').mockImplementation(() => {
      throw new DOMException('full', 'QuotaExceededError')
    })
    page.type('a')
    await eventually(() => expect(page.errors).toEqual(['persistence-quota']))
    expect(page.persistence.isStored).toBe(false)
    page.type('b')
    page.clock.advance(1000)
    await eventually(() => expect(add).toHaveBeenCalledTimes(2))
    expect(page.errors).toEqual(['persistence-quota'])
    expect((await rowsOf('draft')).rows).toEqual([])
    add.mockRestore()
    // The second failure sets its timer a moment after the call.
    await eventually(() => {
      page.clock.advance(1000)
      expect(page.persistence.isStored).toBe(true)
    })
    expect(await textOf('draft')).toBe('ab')
  })

  test('T67 [LOCAL5] without IndexedDB: an error, whenSynced rejects, and an edit is not on this device', async () => {
    vi.stubGlobal('indexedDB', undefined)
    const page = local()
    await expect(page.persistence.whenSynced).rejects.toMatchObject({ code: 'persistence-failed' })
    expect(page.errors).toEqual(['persistence-failed'])
    page.type('a')
    expect(page.persistence.isStored).toBe(false)
  })

  test('T67 a browser that never opens the database: whenSynced rejects after 20 s', async () => {
    const opening = indexedDB.open.bind(indexedDB)
    vi.spyOn(indexedDB, 'open').mockImplementation(() => new IDBOpenDBRequest() as never)
    const page = local()
    page.clock.advance(20_000)
    await expect(page.persistence.whenSynced).rejects.toMatchObject({ code: 'persistence-blocked' })
    vi.spyOn(indexedDB, 'open').mockImplementation(opening)
    // Nothing to wait for at the end of the test.
    vi.spyOn(page.persistence, 'destroy').mockResolvedValue()
  })

  /** Handles that were opened so far are dead, as many times as they are asked. */
  function killHandles(error: DOMException, times: number): Set<unknown> {
    const original = IDBDatabase.prototype.transaction
    const asked = new Set<unknown>()
    const spy = vi.spyOn(IDBDatabase.prototype, 'transaction')
    onTestFinished(() => spy.mockRestore())
    spy.mockImplementation(function (this: IDBDatabase, ...args) {
      if (args[1] === 'readwrite') {
        asked.add(this)
        if (times-- > 0) throw error
      }
      return original.apply(this, args)
    })
    return asked
  }

  test('T67 [LOCAL5] the browser kills the handle: it is opened again, and the change is stored', async () => {
    const page = local()
    await page.persistence.whenSynced
    const lost = 'Connection to Indexed Database server lost'
    const handles = killHandles(new DOMException(lost, 'UnknownError'), 1)
    page.type('a')
    await untilStored(page)
    expect(handles.size).toBe(2)
    expect(page.errors).toEqual([])
    expect(await textOf('draft')).toBe('a')
  })

  test('T67 a handle that stays dead is told after the second try, and given up only for a while', async () => {
    const page = local()
    await page.persistence.whenSynced
    const handles = killHandles(new DOMException('closing', 'InvalidStateError'), 2)
    page.type('a')
    await eventually(() => expect(page.errors).toEqual(['persistence-failed']))
    expect(handles.size).toBe(2)
    expect(page.persistence.isStored).toBe(false)
    page.clock.advance(1000)
    await untilStored(page)
    expect(await textOf('draft')).toBe('a')
  })

  test('[LOCAL7] another page deletes the database: it lets go, and stores the whole document with the next change', async () => {
    const page = local()
    await page.persistence.whenSynced
    page.type('hello')
    await untilStored(page)
    const other = local('draft')
    await other.persistence.whenSynced
    await other.persistence.clearData()
    expect((await rowsOf('draft')).rows).toEqual([])
    // No server has it, and it is not on this device any more.
    expect(page.persistence.isStored).toBe(false)
    page.type('!')
    await untilStored(page)
    expect(await textOf('draft')).toBe('hello!')
  })
})

describe('two pages', () => {
  test('T63 what the server sends is stored by one of them; the other takes over with what was not stored', async () => {
    const held = new Map<string, (() => void)[]>()
    const request = (name: string, _options: unknown, run: () => Promise<void>): Promise<void> => {
      const queue = held.get(name) ?? []
      held.set(name, queue)
      const start = (): void => void run().then(() => (queue.shift(), queue[0]?.()))
      if (queue.push(start) === 1) start()
      return Promise.resolve()
    }
    vi.stubGlobal('navigator', { locks: { request } })
    const other = new OtherEditor()
    const [left, right] = [visit(), visit()]
    await Promise.all([left.provider.whenLocalSynced, right.provider.whenLocalSynced])
    for (const page of [left, right]) page.join()
    const first = other.type('from the server')
    for (const page of [left, right]) page.network.wire.relay(7, 1, 1, first)
    await eventually(async () => expect((await rowsOf('draft')).rows).toHaveLength(1))
    // An edit of the other page builds on what it did not store.
    right.type(', continued')
    await right.stored()
    expect(await textOf('draft')).toBe('from the server, continued')
    await left.leave()
    right.network.wire.relay(7, 2, 2, other.type('!'))
    await eventually(async () => expect(await textOf('draft')).toContain('!'))
  })
})

describe('y-indexeddb', () => {
  test('rows that it wrote since are taken for unverified, once', async () => {
    const first = visit()
    await first.provider.whenLocalSynced
    first.type('ours')
    first.join().take('update').answer({ ok: true, seq: 1, entry: true })
    await first.leave()
    const doc = new Y.Doc()
    const theirs = new IndexeddbPersistence('draft', doc)
    await theirs.whenSynced
    doc.getText('body').insert(0, 'theirs ')
    await theirs.destroy()
    const second = visit()
    await second.provider.whenLocalSynced
    expect(second.provider.saveState).toBe('saved-locally')
    const server = Y.encodeStateVector(first.doc)
    const wire = second.join({ seq: 1, stateVector: server })
    wire.take('update').answer({ ok: true, seq: 2, entry: true })
    await second.leave()
    const third = visit()
    await third.provider.whenLocalSynced
    expect(third.provider.saveState).toBe('saved')
  })

  test('T62 [LOCAL3] stock: it is accepted, its load is not uploaded, and nothing is claimed about its disk', async () => {
    const other = new OtherEditor()
    await addRow('draft', other.type('stored'))
    let stock!: IndexeddbPersistence
    const page = visit({
      database: 'unused',
      persistence: (name, doc) => (stock = new IndexeddbPersistence(name, doc)),
    })
    expect(page.provider.persistence).toBe(stock)
    const synced: unknown[] = []
    page.provider.on('local-synced', ({ persistence }) => synced.push(persistence))
    await page.provider.whenLocalSynced
    expect(synced).toEqual([stock])
    expect([page.text(), page.provider.localSynced]).toEqual(['stored', true])
    expect(page.provider.saveState).toBe('unsaved')
    const wire = page.join({ seq: 1, stateVector: other.stateVector })
    expect(wire.count('update')).toBe(0)
    expect(page.provider.saveState).toBe('saved')
    wire.break()
    page.type('!')
    expect(page.provider.saveState).toBe('unsaved')
  })
})
