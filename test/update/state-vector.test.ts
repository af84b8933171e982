import * as fc from 'fast-check'
import * as Y from 'yjs'
import { describe, expect, it } from 'vitest'
import { MAX_CLOCK } from '../../protocol/index.ts'
import { encodeStateVector, parseStateVector } from '../../src/update/state-vector.ts'
import { hex, uintBytes } from './forged-update.ts'

const clocks = fc
  .array(fc.tuple(fc.maxSafeNat(), fc.integer({ min: 0, max: MAX_CLOCK })), { maxLength: 40 })
  .map((entries) => new Map(entries))

describe('state vectors', () => {
  it('are written as Yjs writes them, and read as Yjs reads them', () => {
    fc.assert(
      fc.property(clocks, (map) => {
        const bytes = encodeStateVector(map)
        expect(hex(bytes)).toBe(hex(Y.encodeStateVector(map)))
        expect(parseStateVector(bytes)).toEqual(map)
        expect(parseStateVector(bytes)).toEqual(Y.decodeStateVector(bytes))
      }),
    )
  })

  it('T30 are refused when cut, followed by bytes, repeated, or out of range', () => {
    const bytes = encodeStateVector(new Map([[7, 300], [2 ** 32, 5]])) // prettier-ignore
    for (let length = 0; length < bytes.length; length++)
      expect(parseStateVector(bytes.subarray(0, length))).toBeNull()
    expect(parseStateVector(Uint8Array.of(...bytes, 0))).toBeNull()
    expect(parseStateVector(Uint8Array.of(2, 7, 1, 8, 2))).toEqual(new Map([[7, 1], [8, 2]])) // prettier-ignore
    expect(parseStateVector(Uint8Array.of(2, 7, 1, 7, 2))).toBeNull()
    expect(parseStateVector(Uint8Array.of(1, 7, ...uintBytes(MAX_CLOCK + 1)))).toBeNull()
    expect(parseStateVector(Uint8Array.of(...uintBytes(2 ** 40), 1, 1))).toBeNull()
  })
})
