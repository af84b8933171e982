import { IDBObjectStore } from 'fake-indexeddb'
import { expect, onTestFinished, test, vi } from 'vitest'
import * as Y from 'yjs'
import { IndexedDBPersistence, type LoadedCopy } from '../../../client/index.ts'
import { ManualClock } from '../manual-clock.ts'
import { freshDevice } from './device.ts'

freshDevice()

const LIVES = Number(process.env['DEVICE_LIVES'] ?? 12)
const FIRST_SEED = Number(process.env['DEVICE_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const SEEDS = Array.from({ length: LIVES }, (_, index) => FIRST_SEED + index)
const STEPS = 120

/** A small generator with a seed (mulberry32), so that a run can be repeated. */
function randomOf(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

interface Page {
  readonly doc: Y.Doc
  readonly clock: ManualClock
  readonly persistence: IndexedDBPersistence
  loaded: LoadedCopy | null
}

const contains = (doc: Y.Doc, update: Uint8Array): boolean =>
  Y.snapshotContainsUpdate(Y.snapshot(doc), update)

function union(...updates: (Uint8Array | null)[]): Y.Doc {
  const doc = new Y.Doc()
  for (const update of updates) if (update !== null) Y.applyUpdate(doc, update)
  return doc
}

/** One device with two pages of one document, that are closed, killed, refused room and brought together with a server. */
class Device {
  readonly #random: (below: number) => number
  readonly #server = new Y.Doc()
  readonly #pages: Page[] = []
  /** Everything that some page called stored: it must be found on the device or the server. */
  #claimed: Uint8Array[] = []
  claims = 0

  constructor(seed: number) {
    this.#random = randomOf(seed)
  }

  async live(): Promise<void> {
    this.#pages.push(this.#open(), this.#open())
    for (let step = 0; step < STEPS; step++) {
      await this.#step()
      // Some transactions finish, others do not.
      for (let turns = this.#random(12); turns > 0; turns--) await nextTurn()
      for (const page of this.#pages) this.#listen(page)
    }
  }

  async #step(): Promise<void> {
    const index = this.#random(2)
    const page = this.#pages[index] as Page
    switch (this.#random(8)) {
      case 0:
      case 1:
      case 2:
        this.#edit(page.doc)
        return
      case 3:
        this.#edit(this.#server)
        Y.applyUpdate(page.doc, Y.encodeStateAsUpdate(this.#server), 'server')
        return
      case 4:
        if (page.loaded !== null) this.#synchronize(page)
        return
      case 5:
        page.clock.advance(this.#random(40_000))
        return
      case 6: {
        let refusals = this.#random(4)
        const original = IDBObjectStore.prototype.add
        vi.spyOn(IDBObjectStore.prototype, 'add').mockImplementation(function (
          this: IDBObjectStore,
          ...args
        ) {
          if (refusals-- > 0) throw new DOMException('full', 'QuotaExceededError')
          return original.apply(this, args)
        })
        await nextTurn()
        vi.restoreAllMocks()
        return
      }
      default:
        // Closed, or gone: then what it was writing may be written or not.
        if (this.#random(2) === 0) await page.persistence.destroy()
        else page.persistence.attach(null)
        this.#pages[index] = await this.#reopen()
    }
  }

  #edit(doc: Y.Doc): void {
    const body = doc.getText('body')
    if (body.length > 3 && this.#random(3) === 0) body.delete(this.#random(body.length - 1), 2)
    // Large enough that rows are folded a few times in a life.
    else body.insert(this.#random(body.length + 1), 'word '.repeat(this.#random(4) * 1500 + 1))
  }

  /** As a provider does it: takes what the server has, gives what it has, and is told that it is durable. */
  #synchronize({ doc, persistence }: Page): void {
    Y.applyUpdate(doc, Y.encodeStateAsUpdate(this.#server), 'server')
    Y.applyUpdate(this.#server, Y.encodeStateAsUpdate(doc))
    persistence.confirm()
  }

  #listen({ doc, persistence, loaded }: Page): void {
    if (loaded === null || !persistence.isStored) return
    this.claims++
    this.#claimed.push(Y.encodeStateAsUpdate(doc))
    this.#claimed = this.#claimed.slice(-4)
  }

  async #reopen(): Promise<Page> {
    const page = this.#open()
    await page.persistence.whenSynced
    const { pending, isUnverified } = page.loaded as LoadedCopy
    const [device, server] = [page.doc, this.#server].map((doc) => Y.encodeStateAsUpdate(doc))
    const known = union(device as Uint8Array, server as Uint8Array)
    for (const claim of this.#claimed) expect(contains(known, claim)).toBe(true)
    // What the server lacks is marked: nothing on the device is forgotten, deletions included.
    expect(isUnverified).toBe(false)
    expect(contains(union(server as Uint8Array, pending), device as Uint8Array)).toBe(true)
    return page
  }

  #open(): Page {
    const doc = new Y.Doc()
    const clock = new ManualClock()
    const persistence = new IndexedDBPersistence('draft', doc, { clock })
    const page: Page = { doc, clock, persistence, loaded: null }
    persistence.attach({
      documentName: 'draft',
      serverUrl: 'http://server.test',
      isConfirmed: (origin) => origin === 'server',
      acceptsEpoch: () => true,
      handleLoaded: (copy) => (page.loaded = copy),
      handleStored: () => undefined,
      handleError: () => undefined,
    })
    onTestFinished(() => persistence.destroy())
    return page
  }
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test.for(SEEDS)(
  '[LOCAL2] T61 lives of a device, seed %i: what was called stored is found again, and what no server has is known',
  async (seed) => {
    const device = new Device(seed)
    await device.live()
    expect(device.claims).toBeGreaterThan(10)
  },
)
