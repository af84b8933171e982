import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isJson } from '../../src/update/json-syntax.ts'
import { utf16Length } from '../../src/update/utf8.ts'
import { Random } from './random-world.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function decodedLength(bytes: Uint8Array): number {
  try {
    return decoder.decode(bytes).length
  } catch {
    return -1
  }
}

function isParsed(bytes: Uint8Array): boolean {
  try {
    JSON.parse(decoder.decode(bytes))
    return true
  } catch {
    return false
  }
}

describe('T30 strings and JSON are judged as Yjs judges them', () => {
  it('T30 counts and refuses UTF-8 as a fatal TextDecoder does', () => {
    const corners = [0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0]
    const leads = [...corners, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff]
    const rest = corners.slice(0, 9)
    for (const first of leads)
      for (const second of leads)
        for (const third of rest)
          for (const fourth of rest) {
            const bytes = Uint8Array.of(first, second, third, fourth)
            for (let length = 1; length <= 4; length++) {
              const part = bytes.subarray(0, length)
              if (utf16Length(part, 0, length) !== decodedLength(part))
                expect.fail(`${[...part].join(' ')} is misjudged`)
            }
          }
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const bytes = encoder.encode(text)
        expect(utf16Length(bytes, 0, bytes.length)).toBe(text.length)
      }),
    )
  })

  it('T30 takes and refuses JSON as JSON.parse does, also when mutated', () => {
    let refused = 0
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), fc.boolean(), fc.integer(), (json, spaced, seed) => {
        const text = spaced ? JSON.stringify(JSON.parse(json), null, 1) : json
        const bytes = encoder.encode(text)
        expect(isJson(bytes, 0, bytes.length, 64)).toBe(true)
        const random = new Random(seed)
        for (let run = 0; run < 10; run++) {
          const mutant = [...bytes]
          const at = random.below(mutant.length + 1)
          const byte = encoder.encode('{}[]",:\\u0123eE+-. \n\u0001tfn')[random.below(24)] as number
          mutant.splice(at, random.below(2), ...(random.chance(0.7) ? [byte] : []))
          const copy = Uint8Array.from(mutant)
          if (utf16Length(copy, 0, copy.length) < 0) continue
          const parsed = isParsed(copy)
          if (!parsed) refused++
          expect(isJson(copy, 0, copy.length, 64), decoder.decode(copy)).toBe(parsed)
        }
      }),
      { numRuns: 400 },
    )
    expect(refused).toBeGreaterThan(100)
  })

  it('T30 looks at the part of the bytes that it is given, and no further', () => {
    const bytes = encoder.encode('[1]é{}')
    expect(isJson(bytes, 0, 3, 64)).toBe(true)
    expect(isJson(bytes, 0, 2, 64)).toBe(false)
    expect(isJson(bytes, 5, 7, 64)).toBe(true)
    expect(utf16Length(bytes, 0, 4)).toBe(-1)
    expect(utf16Length(bytes, 0, 5)).toBe(4)
  })
})
