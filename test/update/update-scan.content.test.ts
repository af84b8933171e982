import * as fc from 'fast-check'
import * as Y from 'yjs'
import { describe, expect, it } from 'vitest'
import { DocumentIndex } from '../../src/update/document-index.ts'
import { withoutKnown } from '../../src/update/known-overlap.ts'
import { scanUpdate, type ScanResult } from '../../src/update/update-scan.ts'
import { anyItem, forge, textItem, typeItem, type ForgedUpdate, type Id } from './forged-update.ts'
import { Random } from './random-world.ts'

type ValidScan = Extract<ScanResult, { verdict: 'valid' }>

/** A document as a server and a peer see it: bytes are scanned, logged, and applied by the peer. */
class LoggedDocument {
  readonly peer: Y.Doc
  readonly #index = new DocumentIndex()

  constructor(gc = true) {
    this.peer = new Y.Doc({ gc })
  }

  scan(update: Uint8Array): ValidScan {
    const scan = scanUpdate(update, (client) => this.#index.clockOf(client))
    if (scan.verdict !== 'valid') expect.fail(scan.message)
    return scan
  }

  log(forged: ForgedUpdate): void {
    const update = forge(forged)
    const scan = this.scan(update)
    this.#index.apply(scan)
    Y.applyUpdate(this.peer, withoutKnown(update, scan))
  }
}

/** One client's struct after another's, each a letter, so that only the order matters. */
function lettersOf(random: Random, clients: readonly number[]): ForgedUpdate {
  return {
    sections: clients.map((client) => ({
      client,
      clock: 0,
      structs: Array.from({ length: 1 + random.below(4) }, (_, clock) => {
        if (random.chance(0.4)) return textItem('a')
        const other = random.pick(clients)
        const reach = other === client ? clock : 5
        return reach === 0
          ? textItem('a')
          : textItem('a', {
              [random.pick(['origin', 'rightOrigin', 'parent'])]: [other, random.below(reach)],
            })
      }),
    })),
  }
}

describe('T34 what depends on the content of the document', () => {
  it('T32 T34 finds dependencies missing exactly when Yjs parks structs', () => {
    const seen = { valid: 0, 'missing-dependencies': 0, malformed: 0 }
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 2, max: 5 }), (seed, clients) => {
        const ids = Array.from({ length: clients }, (_, index) => clients - index)
        const update = forge(lettersOf(new Random(seed), ids))
        const { verdict } = scanUpdate(update, () => 0)
        seen[verdict]++
        const doc = new Y.Doc()
        Y.applyUpdate(doc, update)
        expect(verdict).toBe(doc.store.pendingStructs === null ? 'valid' : 'missing-dependencies')
      }),
      { numRuns: 2000 },
    )
    expect(seen.valid).toBeGreaterThan(100)
    expect(seen['missing-dependencies']).toBeGreaterThan(100)
  })

  it('T34 cuts an item at the known clock, where Yjs would throw over collected garbage', () => {
    const garbage: ForgedUpdate = { sections: [{ client: 1, clock: 0, structs: [{ gc: 3 }] }] }
    const longer: ForgedUpdate = {
      sections: [{ client: 1, clock: 0, structs: [textItem('abcde')] }],
    }
    const bare = new Y.Doc()
    Y.applyUpdate(bare, forge(garbage))
    expect(() => Y.applyUpdate(bare, forge(longer))).toThrow(TypeError)

    const document = new LoggedDocument()
    document.log(garbage)
    expect(document.scan(forge(longer)).overlapsKnown).toBe(true)
    document.log(longer)
    expect(Y.encodeStateVector(document.peer)).toEqual(Uint8Array.of(1, 1, 5))
  })

  it('T34 gives back the same bytes where nothing overlaps', () => {
    const update = forge({ sections: [{ client: 1, clock: 0, structs: [textItem('abc')] }] })
    const scan = new LoggedDocument().scan(update)
    expect(withoutKnown(update, scan)).toBe(update)
  })

  // The next two pin what the scan cannot see. Should Yjs learn to bear it, they fail, and the
  // remark at scanUpdate can go.

  it('T34 known limit: several living values join a map key through their origin', () => {
    const document = new LoggedDocument()
    document.log({
      sections: [
        {
          client: 1,
          clock: 0,
          structs: [
            typeItem(1, { parent: 'm', parentSub: 'map' }),
            anyItem([1], { parent: [1, 0], parentSub: 'k' }),
            anyItem([1, 2, 3], { origin: [1, 1] }),
          ],
        },
      ],
    })
    document.log({ deletes: [[1, [[3, 1]]]] })
    expect(() => document.log({ deletes: [[1, [[0, 1]]]] })).toThrow('Unexpected case')
  })

  it('T34 known limit: types that nest thousands deep, deleted at the top', () => {
    const document = new LoggedDocument(false)
    const depth = 20_000
    const nested = (clock: number) =>
      typeItem(0, { parent: clock === 0 ? 'a' : ([1, clock - 1] as Id) })
    for (let clock = 0; clock < depth; clock += 1000)
      document.log({
        sections: [
          {
            client: 1,
            clock,
            structs: Array.from({ length: 1000 }, (_, index) => nested(clock + index)),
          },
        ],
      })
    expect(() => document.log({ deletes: [[1, [[0, 1]]]] })).toThrow(RangeError)
  })
})
