import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RangeSet } from '../../src/update/range-set.ts'
import { Random } from './random-world.ts'

function rangesOf(set: RangeSet): [number, number][] {
  const ranges: [number, number][] = []
  set.forEach((from, to) => ranges.push([from, to]))
  return ranges
}

describe('RangeSet', () => {
  it('joins ranges that overlap or touch, and says whether something changed', () => {
    const set = new RangeSet()
    expect(set.add(10, 12)).toBe(true)
    expect(set.add(14, 16)).toBe(true)
    expect(set.add(10, 12)).toBe(false)
    expect(set.add(5, 5)).toBe(false)
    expect(set.add(12, 14)).toBe(true)
    expect(rangesOf(set)).toEqual([[10, 16]])
    expect(set.add(0, 3)).toBe(true)
    expect(set.add(2, 20)).toBe(true)
    expect(rangesOf(set)).toEqual([[0, 20]])
    expect(set.end).toBe(20)
  })

  it('holds clocks up to 2^31 - 1', () => {
    const set = new RangeSet()
    set.add(2 ** 31 - 3, 2 ** 31 - 1)
    expect(set.has(2 ** 31 - 3, 2 ** 31 - 1)).toBe(true)
    expect(set.has(2 ** 31 - 4, 2 ** 31 - 1)).toBe(false)
  })

  it('agrees with a plain set of clocks over thousands of ranges', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 12 }), (seed, longest) => {
        const random = new Random(seed)
        const clocks = 4000
        const model = new Uint8Array(clocks)
        let set = new RangeSet()
        for (let step = 0; step < 2500; step++) {
          const from = random.below(clocks - 1)
          const length = random.chance(0.01) ? random.below(600) : random.below(longest + 1)
          const to = Math.min(from + length, clocks)
          const had = model.subarray(from, to).every((bit) => bit === 1)
          expect(set.has(from, to)).toBe(had)
          expect(set.add(from, to)).toBe(!had)
          model.fill(1, from, to)
          if (random.chance(0.0005)) break
          // As it is read from bytes.
          if (random.chance(0.005)) set = RangeSet.ofSorted(Uint32Array.from(rangesOf(set).flat()))
        }
        const expected: [number, number][] = []
        for (let clock = 0; clock < clocks; clock++) {
          if (model[clock] === 0) continue
          if (model[clock - 1] === 1) (expected.at(-1) as [number, number])[1] = clock + 1
          else expected.push([clock, clock + 1])
        }
        expect(rangesOf(set)).toEqual(expected)
        expect(set.size).toBe(expected.length)
        const copy = set.clone()
        expect(copy.equals(set)).toBe(true)
        copy.add(clocks + 5, clocks + 6)
        expect(copy.includes(set)).toBe(true)
        expect(set.includes(copy)).toBe(false)
        expect(rangesOf(set)).toEqual(expected)
      }),
      { numRuns: 60 },
    )
  })

  it('stays small and quick with half a million ranges', () => {
    const set = new RangeSet()
    const count = 500_000
    for (let index = 0; index < count; index++) set.add(index * 4, index * 4 + 1)
    expect(set.size).toBe(count)
    // Two 32-bit numbers a range, and chunks that are mostly full.
    expect(set.byteSize).toBeLessThan(count * 12)
    const random = new Random(7)
    const started = performance.now()
    for (let index = 0; index < 200_000; index++) {
      const from = random.below(count) * 4 + 2
      set.add(from, from + 1)
    }
    // Less than a microsecond each here; moving all ranges for each would take a hundred, twenty seconds in all.
    expect(performance.now() - started).toBeLessThan(10_000)
  })
})
