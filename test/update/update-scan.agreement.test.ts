import * as fc from 'fast-check'
import * as Y from 'yjs'
import { describe, expect, it } from 'vitest'
import { DocumentIndex } from '../../src/update/document-index.ts'
import { withoutKnown } from '../../src/update/known-overlap.ts'
import { isUnderKey, nestingOf } from '../../src/update/struct-places.ts'
import { scanUpdate, type ScanResult } from '../../src/update/update-scan.ts'
import { hex } from './forged-update.ts'
import { forgeRandomly, mutate } from './random-mutation.ts'
import { Random, RandomWorld } from './random-world.ts'

/** CI tries a few thousand mutations; `FUZZ_RUNS=200000` is for a night or a change of the scan. */
const FUZZ_RUNS = Number(process.env['FUZZ_RUNS'] ?? 4000)
const FUZZ_SEED = process.env['FUZZ_SEED']
const MUTATIONS_PER_WORLD = 40
/** Half a millisecond a mutation here, ten times that on a slow machine. */
const TIMEOUT_MS = 240_000 + FUZZ_RUNS * 5
const seeded = FUZZ_SEED === undefined ? {} : { seed: Number(FUZZ_SEED) }

type ValidScan = Extract<ScanResult, { verdict: 'valid' }>

/** The delete set of a document as an update without structs. */
function deleteSetOf(doc: Y.Doc): Uint8Array {
  return Y.encodeStateAsUpdate(doc, Y.encodeStateVector(doc))
}

function indexOf(doc: Y.Doc): DocumentIndex {
  const index = new DocumentIndex()
  index.apply(expectValid(scanUpdate(Y.encodeStateAsUpdate(doc), index)))
  return index
}

function expectValid(scan: ScanResult): ValidScan {
  if (scan.verdict !== 'valid') expect.fail(`${scan.verdict}: ${scan.message}`)
  return scan
}

/** What Yjs knows of where each item hangs is what the index knows, however the item was sent. */
function expectPlaces(doc: Y.Doc, index: DocumentIndex): void {
  for (const structs of doc.store.clients.values())
    for (const item of structs) {
      if (!(item instanceof Y.Item)) continue
      let nesting = 0
      for (let type = item.parent as Y.AbstractType<unknown>; type._item !== null; nesting++)
        type = type._item.parent as Y.AbstractType<unknown>
      const { client, clock } = item.id
      for (const at of [clock, clock + item.length - 1]) {
        const place = index.placeOf(client, at)
        expect([client, at, nestingOf(place), isUnderKey(place)]).toEqual(
          [client, at, nesting, item.parentSub !== null], // prettier-ignore
        )
      }
    }
}

describe('T34 the scan agrees with Yjs', () => {
  it(
    'T34 accepts every update that Yjs produces, and counts as Yjs does',
    { timeout: TIMEOUT_MS },
    () => {
      let overlaps = 0
      fc.assert(
        fc.property(fc.integer(), (seed) => {
          const world = new RandomWorld(seed)
          const index = new DocumentIndex()
          for (let round = 0; round < 12; round++) {
            const update = world.nextUpdate()
            const scan = expectValid(scanUpdate(update, index))
            if (scan.known.length > 0) overlaps++
            const logged = withoutKnown(update, scan)
            const again = expectValid(scanUpdate(logged, index))
            expect(again.inserts).toEqual(scan.inserts)
            expect(again.known).toEqual([])
            const covered = index.covers(scan)
            const before = hex(Y.encodeStateAsUpdate(world.server))
            world.accept(logged)
            if (covered) expect(hex(Y.encodeStateAsUpdate(world.server))).toBe(before)
            index.apply(scan)
            expect(hex(index.stateVector())).toBe(hex(Y.encodeStateVector(world.server)))
            expect(indexOf(world.server).dominates(index)).toBe(true)
            expectPlaces(world.server, index)
            expect(world.server.store.pendingStructs).toBeNull()
            expect(world.server.store.pendingDs).toBeNull()
          }
          const whole = expectValid(scanUpdate(Y.encodeStateAsUpdate(world.server), index))
          index.apply(whole)
          expect(hex(index.deleteSetUpdate())).toBe(hex(deleteSetOf(world.server)))
          expect(index.covers(whole)).toBe(true)
          expectPlaces(world.server, indexOf(world.server))
          expect(index.equals(indexOf(world.server))).toBe(true)
        }),
        { numRuns: Math.ceil(FUZZ_RUNS / 40), ...seeded },
      )
      // The property would prove little if the worlds never made these.
      expect(overlaps).toBeGreaterThan(0)
    },
  )

  it('T34 [LOG2] whatever it accepts, Yjs applies whole', { timeout: TIMEOUT_MS }, () => {
    const seen = { valid: 0, malformed: 0, 'missing-dependencies': 0 }
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const world = new RandomWorld(seed)
        for (let rounds = world.random.below(15); rounds > 0; rounds--) {
          const index = indexOf(world.server)
          const update = world.nextUpdate()
          world.accept(withoutKnown(update, expectValid(scanUpdate(update, index))))
        }
        const index = indexOf(world.server)
        const state = Y.encodeStateAsUpdate(world.server)
        const honest = [world.nextUpdate(), state, world.nextUpdate()]
        const random = new Random(seed ^ 0x5eed)
        for (let runs = 0; runs < MUTATIONS_PER_WORLD; runs++) {
          const mutant = random.chance(0.4)
            ? forgeRandomly(random, index, state)
            : mutate(random, random.pick(honest), honest)
          const scan = scanUpdate(mutant, index)
          seen[scan.verdict]++
          if (scan.verdict === 'valid') applies(world.server.gc, state, index, mutant, scan)
        }
      }),
      { numRuns: Math.ceil(FUZZ_RUNS / MUTATIONS_PER_WORLD), ...seeded },
    )
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(FUZZ_RUNS / 50)
  })
})

function applies(
  gc: boolean,
  state: Uint8Array,
  index: DocumentIndex,
  mutant: Uint8Array,
  scan: ValidScan,
): void {
  const logged = withoutKnown(mutant, scan)
  const doc = new Y.Doc({ gc })
  Y.applyUpdate(doc, state)
  const note = `update ${hex(logged)} on state ${hex(state)}`
  try {
    Y.applyUpdate(doc, logged)
    Y.mergeUpdates([state, logged])
  } catch (error) {
    throw new Error(note, { cause: error })
  }
  expect(doc.store.pendingStructs, note).toBeNull()
  expect(doc.store.pendingDs, note).toBeNull()
  const after = index.clone()
  after.apply(scan)
  expect(hex(after.stateVector()), note).toBe(hex(Y.encodeStateVector(doc)))
  expect(indexOf(doc).dominates(after), note).toBe(true)
  expectPlaces(doc, after)
}
