import { expect, test } from 'vitest'
import { takeTurns } from '../../src/http/request-turns.ts'
import { ManualClock } from '../support/manual-clock.ts'

test('[HTTP6] a few requests are taken in one turn, the others in their order with the next ones; who is gone is skipped', () => {
  const clock = new ManualClock()
  const turns = takeTurns(clock)
  const taken: number[] = []
  const ask = (number: number, destroyed = false): void =>
    void turns({} as never, { destroyed } as never, () => taken.push(number))
  for (let number = 0; number < 10; number++) ask(number, number === 5)
  expect(taken).toEqual([0, 1, 2, 3])
  clock.endTurn()
  expect(taken).toEqual([0, 1, 2, 3, 4, 6, 7])
  ask(10)
  clock.endTurn()
  expect(taken).toEqual([0, 1, 2, 3, 4, 6, 7, 8, 9, 10])
  clock.endTurn()
  ask(11)
  expect(taken.at(-1)).toBe(11)
})
