import * as fc from 'fast-check'
import * as Y from 'yjs'
import { describe, expect, it } from 'vitest'
import { DocumentIndex } from '../../src/update/document-index.ts'
import { scanUpdate, type ScanResult } from '../../src/update/update-scan.ts'
import { hex } from './forged-update.ts'
import { Random, RandomWorld } from './random-world.ts'

type ValidScan = Extract<ScanResult, { verdict: 'valid' }>

function indexOf(...updates: readonly Uint8Array[]): DocumentIndex {
  const index = new DocumentIndex()
  for (const update of updates) index.apply(scanFor(index, update))
  return index
}

function scanFor(index: DocumentIndex, update: Uint8Array): ValidScan {
  const scan = scanUpdate(update, index)
  if (scan.verdict !== 'valid') throw new Error(scan.message)
  return scan
}

function typedAndDeleted(): { doc: Y.Doc; updates: Uint8Array[] } {
  const doc = new Y.Doc()
  const updates: Uint8Array[] = []
  doc.on('update', (update: Uint8Array) => updates.push(update))
  doc.getText('t').insert(0, 'hello')
  doc.getText('t').delete(1, 2)
  return { doc, updates }
}

describe('DocumentIndex', () => {
  it('T12 covers an update that changes nothing, and only that', () => {
    const { doc, updates } = typedAndDeleted()
    const index = indexOf(...updates)
    expect(index.covers(scanFor(index, Y.encodeStateAsUpdate(doc)))).toBe(true)
    const [typed, deleted] = updates as [Uint8Array, Uint8Array]
    const before = indexOf(typed)
    expect(before.covers(scanFor(before, typed))).toBe(true)
    expect(before.covers(scanFor(before, deleted))).toBe(false)
    expect(new DocumentIndex().covers(scanFor(new DocumentIndex(), typed))).toBe(false)
  })

  it('T17 tells documents apart that differ in a deletion only', () => {
    const { updates } = typedAndDeleted()
    const [typed] = updates as [Uint8Array]
    const [before, after] = [indexOf(typed), indexOf(...updates)]
    expect(hex(before.stateVector())).toBe(hex(after.stateVector()))
    expect(before.equals(after)).toBe(false)
    expect(after.dominates(before)).toBe(true)
    expect(before.dominates(after)).toBe(false)
    expect(after.dominates(new DocumentIndex())).toBe(true)
    expect(new DocumentIndex().dominates(before)).toBe(false)
  })

  it('gives the state vector of Yjs, the same bytes until an insert', () => {
    const { doc, updates } = typedAndDeleted()
    const index = indexOf(updates[0] as Uint8Array)
    const stateVector = index.stateVector()
    expect(hex(stateVector)).toBe(hex(Y.encodeStateVector(doc)))
    index.apply(scanFor(index, updates[1] as Uint8Array))
    expect(index.stateVector()).toBe(stateVector)
    doc.getText('t').insert(0, 'x')
    index.apply(scanFor(index, updates[2] as Uint8Array))
    expect(hex(index.stateVector())).toBe(hex(Y.encodeStateVector(doc)))
    expect(hex(new DocumentIndex().stateVector())).toBe('00')
  })

  it('gives the delete set as an update that Yjs applies', () => {
    const { doc, updates } = typedAndDeleted()
    const copy = new Y.Doc()
    Y.applyUpdate(copy, updates[0] as Uint8Array)
    Y.applyUpdate(copy, indexOf(...updates).deleteSetUpdate())
    expect(copy.getText('t').toDelta()).toEqual(doc.getText('t').toDelta())
    expect(hex(new DocumentIndex().deleteSetUpdate())).toBe('0000')
  })

  it('takes in the deletes of another index, and nothing else of it', () => {
    const { updates } = typedAndDeleted()
    const index = indexOf(updates[0] as Uint8Array)
    index.addDeletesOf(indexOf(...updates))
    expect(index.equals(indexOf(...updates))).toBe(true)
    expect(() => new DocumentIndex().addDeletesOf(index)).toThrow('the index lacks')
  })

  it('refuses a change that does not follow what it holds', () => {
    const index = new DocumentIndex()
    const change = {
      inserts: [{ client: 1, from: 1, to: 2 }],
      deletes: [],
      places: [],
      longMapEntries: [],
    }
    expect(() => index.apply(change)).toThrow('the index lacks 1:0')
    expect(() =>
      index.apply({
        inserts: [],
        deletes: [{ client: 1, from: 0, to: 1 }],
        places: [],
        longMapEntries: [],
      }),
    ).toThrow('the index lacks 1:0')
  })

  it('clones: what one takes in the other does not have', () => {
    const { doc, updates } = typedAndDeleted()
    const index = indexOf(updates[0] as Uint8Array)
    const copy = index.clone()
    expect(copy.equals(index)).toBe(true)
    copy.apply(scanFor(copy, updates[1] as Uint8Array))
    expect(index.equals(indexOf(updates[0] as Uint8Array))).toBe(true)
    expect(copy.equals(indexOf(Y.encodeStateAsUpdate(doc)))).toBe(true)
  })

  it('comes back whole from its bytes', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const world = new RandomWorld(seed)
        for (let round = 0; round < 6; round++) world.accept(world.nextUpdate())
        const index = indexOf(Y.encodeStateAsUpdate(world.server))
        const decoded = DocumentIndex.decode(index.encode())
        expect(decoded.equals(index)).toBe(true)
        expect(hex(decoded.encode())).toBe(hex(index.encode()))
      }),
      { numRuns: 50 },
    )
  })

  it('T10 refuses bytes that it did not write, with an error that says so', () => {
    const bytes = indexOf(...typedAndDeleted().updates).encode()
    for (let length = 0; length < bytes.length; length++)
      expect(() => DocumentIndex.decode(bytes.subarray(0, length))).toThrow('not an encoded')
    expect(() => DocumentIndex.decode(Uint8Array.of(...bytes, 0))).toThrow('bytes follow it')
    expect(() => DocumentIndex.decode(Uint8Array.of(4, 0, 0))).toThrow('its format is 4')
    const wrong = [
      [1, 2, 5, 1, 5, 1, 0], // a client twice
      [1, 1, 5, 0, 0], // a clock of 0
      [1, 1, 5, 9, 1, 5, 0], // a client without ranges
      [1, 1, 5, 9, 1, 5, 1, 3, 0], // an empty range
      [1, 1, 5, 9, 1, 5, 2, 3, 1, 4, 1], // ranges that touch
      [1, 1, 5, 9, 1, 5, 2, 3, 1, 1, 1], // ranges not in order
      [1, 1, 5, 9, 1, 5, 1, 3, 7], // a range over the clock
      [1, 1, 5, 9, 2, 5, 1, 0, 1, 5, 1, 3, 1], // a client's ranges twice
    ]
    for (const list of wrong) expect(() => DocumentIndex.decode(Uint8Array.from(list))).toThrow()
    expect(() => DocumentIndex.decode(Uint8Array.of(1, 1, 5, 9, 1, 5, 1, 3, 6))).not.toThrow()
    // A place at a clock that is not there; the same place twice; two places at one clock.
    for (const runs of [
      [1, 9, 2],
      [2, 1, 2, 1, 2],
      [2, 1, 2, 0, 4],
    ])
      // prettier-ignore
      expect(() => DocumentIndex.decode(Uint8Array.of(2, 1, 5, 9, 0, 1, 5, ...runs))).toThrow('place')
    expect(
      DocumentIndex.decode(Uint8Array.of(2, 1, 5, 9, 0, 1, 5, 2, 1, 2, 3, 4)).placeOf(5, 4),
    ).toBe(4)
  })

  it('T10 decodes any bytes or throws its own error', () => {
    const bytes = indexOf(...typedAndDeleted().updates).encode()
    const random = new Random(3)
    for (let run = 0; run < 5000; run++) {
      const copy = bytes.slice()
      copy[random.below(copy.length)] = random.below(256)
      try {
        expect(hex(DocumentIndex.decode(copy).encode()).length).toBeGreaterThan(0)
      } catch (error) {
        expect(String(error)).toContain('not an encoded document index')
      }
    }
  })

  it('estimates its size in proportion to what it holds', () => {
    const index = new DocumentIndex()
    expect(index.byteSize).toBe(0)
    index.apply({
      inserts: [{ client: 1, from: 0, to: 1_000_000 }],
      deletes: [],
      places: [],
      longMapEntries: [],
    })
    const deletes = Array.from({ length: 100_000 }, (_, at) => ({
      client: 1,
      from: at * 3,
      to: at * 3 + 1,
    }))
    index.apply({ inserts: [], deletes, places: [], longMapEntries: [] })
    expect(index.byteSize).toBeGreaterThan(800_000)
    expect(index.byteSize).toBeLessThan(1_600_000)
  })
})
