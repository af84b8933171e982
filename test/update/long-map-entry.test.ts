import * as fc from 'fast-check'
import * as Y from 'yjs'
import { describe, expect, it } from 'vitest'
import { fold } from '../../src/log/fold.ts'
import { DocumentIndex } from '../../src/update/document-index.ts'
import { withoutKnown } from '../../src/update/known-overlap.ts'
import { NO_SCAN_LIMITS } from '../../src/update/scan-limits.ts'
import { scanUpdate, type ScanResult } from '../../src/update/update-scan.ts'
import {
  anyItem,
  forge,
  textItem,
  typeItem,
  type ForgedItem,
  type ForgedUpdate,
  type Id,
} from './forged-update.ts'
import { Random } from './random-world.ts'

type ValidScan = Extract<ScanResult, { verdict: 'valid' }>

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 4000)

const CUT = 'it takes apart a value of a map that has several clocks'

/** The root `m` holds the map of struct 1:0, whose key `k` has one value, struct 1:1. */
const MAP: readonly ForgedItem[] = [
  typeItem(1, { parent: 'm', parentSub: 'map' }),
  anyItem([0], { parent: [1, 0], parentSub: 'k' }),
]

function validScan(update: Uint8Array, index: DocumentIndex, limits = NO_SCAN_LIMITS): ValidScan {
  const scan = scanUpdate(update, index, limits)
  if (scan.verdict !== 'valid') expect.fail(scan.message)
  return scan
}

function refusal(forged: ForgedUpdate, index: DocumentIndex): string {
  const scan = scanUpdate(forge(forged), index)
  return scan.verdict === 'valid' ? 'valid' : scan.message
}

function indexOf(...updates: readonly ForgedUpdate[]): DocumentIndex {
  const index = new DocumentIndex()
  for (const update of updates) {
    const scan = scanUpdate(forge(update), index)
    if (scan.verdict !== 'valid') expect.fail(scan.message)
    index.apply(scan)
  }
  return index
}

function section(client: number, clock: number, ...structs: ForgedItem[]): ForgedUpdate {
  return { sections: [{ client, clock, structs }] }
}

/** An item of client 2 that takes the place of the key's value, from clock 0. */
const entry = (values: number, origin: Id = [1, 1]): ForgedItem =>
  anyItem(Array<number>(values).fill(1), { origin })

/** Yjs joins both deleted values into one item; the undo copies it whole, as one living item of two clocks. */
function undoneUpdates(): Uint8Array[] {
  const [author, undoer] = [new Y.Doc(), new Y.Doc()]
  const updates: Uint8Array[] = []
  for (const [from, to] of [
    [author, undoer],
    [undoer, author],
  ] as const)
    from.on('update', (update: Uint8Array, _origin: unknown, _doc: Y.Doc, transaction) => {
      if (!transaction.local) return
      updates.push(update)
      Y.applyUpdate(to, update, 'remote')
    })
  const undo = new Y.UndoManager(undoer.getMap('map'), { captureTimeout: Infinity })
  for (const value of ['one', 'two']) {
    author.getMap('map').set('key', value)
    undoer.getMap('map').delete('key')
  }
  undo.undo()
  expect(author.getMap('map').get('key')).toBe('two')
  undo.redo()
  undo.undo()
  author.getMap('map').set('key', 'three')
  undo.undo()
  author.getMap('map').delete('key')
  return updates
}

describe('T34 a living map entry of several clocks', () => {
  it('is accepted from an honest undo, and all that honest editors do to it', () => {
    const index = new DocumentIndex()
    const updates = undoneUpdates()
    let entries = 0
    for (const update of updates) {
      const scan = scanUpdate(update, index)
      if (scan.verdict !== 'valid') expect.fail(scan.message)
      entries += scan.longMapEntries.length
      index.apply(scan)
    }
    expect(entries).toBeGreaterThan(1)
    const folded = fold({ snapshot: null, index: null, updates })
    expect(DocumentIndex.decode(folded.index).dominates(index)).toBe(true)
  })

  it('may be deleted, overwritten, and deleted with its map, as a whole', () => {
    const before = [section(1, 0, ...MAP), section(2, 0, entry(3))]
    for (const after of [
      { deletes: [[2, [[0, 3]]]] },
      // Two ranges that touch are one.
      {
        deletes: [
          [
            2,
            [
              [0, 1],
              [1, 2],
            ],
          ],
        ],
      },
      section(3, 0, entry(1, [2, 2])),
      { deletes: [[1, [[0, 1]]]] },
    ] as ForgedUpdate[])
      indexOf(...before, after, { deletes: [[1, [[0, 2]]]] })
  })

  it('is not taken apart by a reference or a deletion', () => {
    const cuts: ForgedUpdate[] = [
      section(3, 0, entry(1, [2, 0])),
      section(3, 0, entry(1, [2, 1])),
      section(3, 0, anyItem([1], { origin: [4, 0], rightOrigin: [2, 1] })),
      { deletes: [[2, [[0, 1]]]] },
      { deletes: [[2, [[2, 1]]]] },
      { deletes: [[2, [[1, 1]]]] },
    ]
    const map = section(1, 0, ...MAP)
    const list = section(4, 0, textItem('ab', { parent: 'list' }))
    const known = indexOf(map, list, section(2, 0, entry(3)))
    const mapOnly = indexOf(map, list)
    for (const cut of cuts) {
      expect(refusal(cut, known)).toBe(CUT)
      // As one update with the entry, in whatever order its clients come.
      const sections = [...(cut.sections ?? []), ...(section(2, 0, entry(3)).sections ?? [])]
      expect(refusal({ ...cut, sections }, mapOnly)).toBe(CUT)
      // A document may hold such a cut from before.
      expect(scanUpdate(forge(cut), known, NO_SCAN_LIMITS).verdict).toBe('valid')
    }
    // A client's own later struct.
    expect(refusal(section(2, 3, entry(1, [2, 1])), known)).toBe(CUT)
    expect(refusal(section(2, 0, entry(3), entry(1, [2, 1])), mapOnly)).toBe(CUT)
    // It hangs under the key through a client that comes later in the bytes.
    const later = [
      { client: 9, clock: 0, structs: [textItem('abc', { origin: [1, 1] as Id })] },
      { client: 1, clock: 0, structs: [...MAP, entry(1, [9, 0])] },
    ]
    expect(refusal({ sections: later }, new DocumentIndex())).toBe(CUT)
  })

  it('may be referred to within once it is deleted, as the values that were joined in it are', () => {
    const index = indexOf(section(1, 0, ...MAP), section(2, 0, entry(3)), {
      deletes: [[2, [[0, 3]]]],
    })
    expect(refusal(section(3, 0, entry(1, [2, 1])), index)).toBe('valid')
    const deletedAtOnce = { ...section(2, 0, entry(3)), deletes: [[2, [[0, 3]]]] } as ForgedUpdate
    const joined = indexOf(section(1, 0, ...MAP), deletedAtOnce)
    expect(refusal(section(3, 0, entry(1, [2, 1])), joined)).toBe('valid')
  })

  it('is known to the index from its update, from bytes, from a snapshot, and until it is deleted', () => {
    const [first, second] = [section(1, 0, ...MAP), section(2, 0, entry(2), entry(3, [2, 1]))]
    const index = indexOf(first, second)
    const folded = fold({ snapshot: null, index: null, updates: [forge(first), forge(second)] })
    for (const known of [
      index,
      index.clone(),
      DocumentIndex.decode(index.encode()),
      DocumentIndex.decode(folded.index),
    ]) {
      expect(known.longMapEntryCutBy(2, 3)).toEqual({ client: 2, from: 2, to: 5 })
      expect(known.longMapEntryCutBy(2, 4)).toEqual({ client: 2, from: 2, to: 5 })
      for (const clock of [0, 2, 5, 6]) expect(known.longMapEntryCutBy(2, clock)).toBeNull()
    }
    // Overwriting the first is no deletion by name; the fold found it.
    expect(index.longMapEntryCutBy(2, 1)).not.toBeNull()
    index.addDeletesOf(DocumentIndex.decode(folded.index))
    expect(index.longMapEntryCutBy(2, 1)).toBeNull()
    index.apply(validScan(forge({ deletes: [[2, [[0, 5]]]] }), index))
    expect(index.longMapEntryCutBy(2, 3)).toBeNull()
  })

  it('is forgotten when its update was never written', () => {
    const index = indexOf(section(1, 0, ...MAP))
    index.expect(validScan(forge(section(2, 0, entry(3))), index))
    const text = section(2, 0, textItem('abc'), textItem('d', { origin: [2, 0] }))
    expect(refusal(text, index)).toBe('valid')
    index.apply(validScan(forge(text), index))
    expect(index.longMapEntryCutBy(2, 1)).toBeNull()
  })

  it('of which a part is known already is what is left of it', () => {
    const index = indexOf(section(1, 0, ...MAP), section(2, 0, entry(1)))
    const scan = validScan(forge(section(2, 0, entry(3))), index)
    expect(scan.longMapEntries).toEqual([{ client: 2, from: 1, to: 3 }])
    index.apply(scan)
    expect(refusal({ deletes: [[2, [[1, 1]]]] }, index)).toBe(CUT)
    expect(refusal({ deletes: [[2, [[0, 1]]]] }, index)).toBe('valid')
  })

  it('an encoded index with a wrong one is refused', () => {
    const bytes = indexOf(section(1, 0, ...MAP), section(2, 0, entry(3))).encode()
    // It ends with: one client, 2, one entry, at distance 0, 3 clocks long.
    expect([...bytes.slice(-5)]).toEqual([1, 2, 1, 0, 3])
    for (const length of [0, 1, 4])
      expect(() => DocumentIndex.decode(Uint8Array.of(...bytes.slice(0, -1), length))).toThrow(
        'a long map entry of client 2 is wrong',
      )
  })
})

/** Forged updates for the map and its key: items of any length, references and deletes anywhere. */
class Forger {
  readonly #random: Random
  /** The clocks of the document, and while an update is made, its own too. */
  #clocks = new Map([[1, 2]])

  constructor(seed: number) {
    this.#random = new Random(seed)
  }

  next(index: DocumentIndex): ForgedUpdate {
    const clients = [9, 7, 5, 1]
    this.#clocks = new Map(clients.map((client) => [client, index.clockOf(client)]))
    const random = this.#random
    const authors = random.chance(0.7) ? clients.slice(random.below(3), 3) : []
    const sections = authors.map((client) => {
      const clock = this.#clocks.get(client) as number
      const structs = [this.#item(client)]
      if (random.chance(0.5)) structs.push(this.#item(client))
      return { client, clock, structs }
    })
    const [client] = this.#anyId()
    const range: Id = [random.below(4), 1 + random.below(6)]
    return { sections, deletes: random.chance(0.6) ? [[client, [range]]] : [] }
  }

  #item(client: number): ForgedItem {
    const random = this.#random
    const place = random.pick<Partial<ForgedItem>>([
      { origin: this.#anyId() },
      { rightOrigin: this.#anyId() },
      { origin: this.#anyId(), rightOrigin: this.#anyId() },
      { parent: [1, 0], parentSub: 'k' },
    ])
    const values = 1 + random.below(3)
    this.#clocks.set(client, (this.#clocks.get(client) as number) + values)
    return anyItem(Array<number>(values).fill(1), place)
  }

  #anyId(): Id {
    const [client, clocks] = this.#random.pick([...this.#clocks].filter(([, clock]) => clock > 0))
    return [client, this.#random.below(clocks)]
  }
}

function livingItems(map: Y.Map<unknown>): number {
  let living = 0
  for (let item = map._map.get('k') ?? null; item !== null; item = item.left)
    if (!item.deleted) living++
  return living
}

describe('T34 the right origin of a map entry', () => {
  const RIGHT = 'a value of a map has a right origin'

  it('is refused, whether it is known already that it is one or only at the end', () => {
    const map = section(1, 0, ...MAP)
    const index = indexOf(map)
    for (const references of [
      { rightOrigin: [1, 1] },
      { origin: [1, 1], rightOrigin: [1, 1] },
      { origin: [1, 1], rightOrigin: [1, 0] },
    ] as Partial<ForgedItem>[]) {
      const forged = section(9, 0, anyItem([1], references))
      expect(refusal(forged, index)).toBe(RIGHT)
      expect(
        refusal({ sections: [...forged.sections!, ...map.sections!] }, new DocumentIndex()),
      ).toBe(RIGHT)
      // A document may hold one from before.
      expect(scanUpdate(forge(forged), index, NO_SCAN_LIMITS).verdict).toBe('valid')
    }
    // What is left of an item of which a part is known hangs on that part, whatever it says.
    const list = section(4, 0, textItem('ab', { parent: 'list' }))
    const known = indexOf(map, list, section(2, 0, entry(1)))
    const rest = anyItem([1, 1], { origin: [4, 0], rightOrigin: [4, 1] })
    expect(refusal(section(2, 0, rest), known)).toBe(RIGHT)
  })

  it('is not taken for one where the place is unknown, since something is missing', () => {
    // Client 9 ends in an entry of a key; what client 3 hangs on comes after it, and is not there.
    const sections = [
      {
        client: 9,
        clock: 0,
        structs: MAP.map((item, index) =>
          index === 0 ? item : anyItem([0], { parent: [9, 0], parentSub: 'k' }),
        ),
      },
      {
        client: 3,
        clock: 0,
        structs: [textItem('x', { origin: [9, 7] as Id, rightOrigin: [9, 8] as Id })],
      },
    ]
    expect(scanUpdate(forge({ sections }), new DocumentIndex()).verdict).toBe(
      'missing-dependencies',
    )
  })

  it('between the items of a list is what every keystroke within a text has', () => {
    const list = section(4, 0, textItem('ab', { parent: 'list' }))
    const between = textItem('x', { origin: [4, 0], rightOrigin: [4, 1] })
    expect(refusal(section(5, 0, between), indexOf(list))).toBe('valid')
    // Also of a text in a map.
    const text = section(1, 0, typeItem(2, { parent: 'm', parentSub: 'text' }))
    const inside = section(4, 0, textItem('ab', { parent: [1, 0] }))
    expect(refusal(section(5, 0, between), indexOf(text, inside))).toBe('valid')
  })
})

function livingId(map: unknown): Y.ID | null {
  const entry = map instanceof Y.Map ? map._map.get('k') : undefined
  return entry === undefined || entry.deleted ? null : entry.id
}

it(
  'T34 [REQ6] whatever is accepted, a key has one living item at most, the same for all, and its map can be deleted',
  () => {
    const seen = { accepted: 0, entries: 0, cuts: 0 }
    const play = (seed: number): void => {
      const forger = new Forger(seed)
      const peer = new Y.Doc()
      const accepted: Uint8Array[] = []
      const index = new DocumentIndex()
      const send = (forged: ForgedUpdate): void => {
        const update = forge(forged)
        const scan = scanUpdate(update, index)
        if (scan.verdict !== 'valid') {
          if (scan.message === CUT) seen.cuts++
          return
        }
        seen.accepted++
        seen.entries += scan.longMapEntries.length
        index.apply(scan)
        accepted.push(withoutKnown(update, scan))
        Y.applyUpdate(peer, accepted.at(-1)!)
      }
      send(section(1, 0, ...MAP))
      const map = peer.getMap('m').get('map') as Y.Map<unknown>
      for (let step = 0; step < 8 && map._item?.deleted === false; step++) {
        send(forger.next(index))
        expect(livingItems(map)).toBeLessThanOrEqual(1)
      }
      // Who comes later integrates the same in another order: by client, and each client's as far as it goes.
      const latecomer = new Y.Doc()
      Y.applyUpdate(latecomer, Y.mergeUpdates(accepted))
      expect(livingId(latecomer.getMap('m').get('map'))).toEqual(livingId(map))
      send({ deletes: [[1, [[0, 1]]]] })
      expect(map._item?.deleted).toBe(true)
    }
    fc.assert(fc.property(fc.integer(), play), { numRuns: RUNS })
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(RUNS / 10)
  },
  240_000 + 2 * RUNS,
)
