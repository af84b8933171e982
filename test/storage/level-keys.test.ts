import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  chunkKey,
  documentKey,
  documentRange,
  entryKey,
  FORMAT_KEY,
  manifestKey,
  nameOfKey,
  rowRange,
  rowsBeforeGeneration,
  seqOfEntryKey,
  unsweptKey,
} from '../../src/storage/level-keys.ts'
import { isDocumentName } from '../../protocol/index.ts'

const awkward = [
  'a',
  'ab',
  '__proto__',
  'constructor',
  'a/b',
  '../..',
  'é',
  '￮',
  '🦊',
  'x'.repeat(512),
]
const names = fc.oneof(
  fc.constantFrom(...awkward),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter(isDocumentName),
  // Few letters: names that are prefixes of one another.
  fc.string({ unit: fc.constantFrom('a', 'b', 'é', '🦊'), minLength: 1, maxLength: 4 }),
)
const seqs = fc.oneof(fc.maxSafeNat(), fc.constantFrom(0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1))
const generations = fc.nat(2 ** 32 - 1)
const keys = fc.oneof(
  fc.constant(FORMAT_KEY),
  names.map(documentKey),
  names.map(unsweptKey),
  fc.tuple(names, generations, seqs).map((parts) => entryKey(...parts)),
  fc.tuple(names, generations, seqs).map((parts) => manifestKey(...parts)),
  fc.tuple(names, generations, seqs, fc.nat()).map((parts) => chunkKey(...parts)),
)

describe('level keys', () => {
  test('T18 no key is a prefix of another', () => {
    fc.assert(
      fc.property(keys, keys, (one, other) => {
        fc.pre(Buffer.compare(one, other) !== 0)
        const shared = Math.min(one.length, other.length)
        expect(Buffer.compare(one.subarray(0, shared), other.subarray(0, shared))).not.toBe(0)
      }),
    )
  })

  test('T18 documents sort by the bytes of their names, and the name is read back', () => {
    fc.assert(
      fc.property(names, names, (one, other) => {
        expect(compare(documentKey(one), documentKey(other))).toBe(
          compare(Buffer.from(one), Buffer.from(other)),
        )
        expect(nameOfKey(documentKey(one))).toBe(one)
        expect(nameOfKey(unsweptKey(one))).toBe(one)
      }),
    )
  })

  test('entries sort by name, generation, number, and the number is read back', () => {
    const parts = fc.tuple(names, generations, seqs)
    fc.assert(
      fc.property(parts, parts, (one, other) => {
        const expected =
          compare(Buffer.from(one[0]), Buffer.from(other[0])) ||
          Math.sign(one[1] - other[1]) ||
          Math.sign(one[2] - other[2])
        expect(compare(entryKey(...one), entryKey(...other))).toBe(expected)
        expect(seqOfEntryKey(entryKey(...one))).toBe(one[2])
      }),
    )
  })

  test('T18 a range of rows has the rows of one document, no others', () => {
    const span = fc.tuple(names, generations, seqs, seqs)
    fc.assert(
      fc.property(
        span,
        names,
        generations,
        seqs,
        ([name, generation, from, to], other, gen, seq) => {
          const range = rowRange('entry', name, generation, from, to)
          for (const [owner, g] of [
            [other, gen],
            [name, generation],
          ] as const)
            expect(isIn(range, entryKey(owner, g, seq))).toBe(
              owner === name && g === generation && from <= seq && seq < to,
            )
          const before = rowsBeforeGeneration('entry', name, generation)
          expect(isIn(before, entryKey(other, gen, seq))).toBe(other === name && gen < generation)
          expect(isIn(range, manifestKey(name, generation, from))).toBe(false)
          expect(isIn(range, chunkKey(name, generation, from, 0))).toBe(false)
        },
      ),
    )
  })

  test('[ST10] the range of a list has the names of the prefix behind `after`', () => {
    const prefix = fc.oneof(fc.constant(''), names)
    fc.assert(
      fc.property(names, prefix, fc.option(names, { nil: undefined }), (name, start, after) => {
        expect(isIn(documentRange(start, after), documentKey(name))).toBe(
          name.startsWith(start) &&
            (after === undefined || compare(Buffer.from(name), Buffer.from(after)) > 0),
        )
      }),
    )
  })
})

function compare(one: Uint8Array, other: Uint8Array): number {
  return Math.sign(Buffer.compare(one, other))
}

function isIn(range: { gte: Uint8Array; lt: Uint8Array }, key: Uint8Array): boolean {
  return compare(key, range.gte) >= 0 && compare(key, range.lt) < 0
}
