import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FewMap } from '../../src/few-map.ts'

type Step = readonly ['set' | 'delete' | 'clear', key: number, value: number]

const step: fc.Arbitrary<Step> = fc.tuple(
  fc.constantFrom('set', 'set', 'set', 'delete', 'delete', 'clear'),
  fc.integer({ min: 0, max: 3 }),
  fc.integer({ min: 0, max: 9 }),
)

test('a map of few behaves as a Map, in the order of its entries too', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const few = new FewMap<number, number>()
      const map = new Map<number, number>()
      for (const [kind, key, value] of steps) {
        if (kind === 'set') {
          few.set(key, value)
          map.set(key, value)
        } else if (kind === 'delete') expect(few.delete(key)).toBe(map.delete(key))
        else {
          few.clear()
          map.clear()
        }
        expect([...few]).toEqual([...map])
        expect([few.size, few.has(key), few.get(key)]).toEqual([
          map.size,
          map.has(key),
          map.get(key),
        ])
      }
      expect([...few.keys()]).toEqual([...map.keys()])
      expect([...few.values()]).toEqual([...map.values()])
    }),
  )
})

test('what is deleted while it is walked over harms nobody', () => {
  const map = new FewMap<number, string>()
  for (const [key, value] of [[1, 'a'], [2, 'b'], [3, 'c']] as const) map.set(key, value) // prettier-ignore
  const seen: string[] = []
  for (const [key, value] of map) {
    seen.push(value)
    map.delete(key)
  }
  expect([seen, map.size]).toEqual([['a', 'b', 'c'], 0])
})
