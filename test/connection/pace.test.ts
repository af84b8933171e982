import { expect, test } from 'vitest'
import { Pace } from '../../src/connection/pace.ts'
import type { DocumentError } from '../../src/errors.ts'
import { ManualClock } from '../support/manual-clock.ts'

function scene(perSecond: number, clock = new ManualClock()) {
  const ran: number[] = []
  const holding: boolean[] = []
  const ignored: DocumentError[] = []
  const pace = new Pace({
    clock,
    limits: [{ option: 'updatesPerSecond', perSecond, cost: () => 1 }],
    handleLimitHit: () => undefined,
    handleIgnored: (error) => ignored.push(error),
    handleHolding: (isHolding) => holding.push(isHolding),
  })
  const send = (count: number, from = 0, bytes = 10): unknown[] =>
    Array.from({ length: count }, (_, index) =>
      pace.pass(bytes, () => ran.push(from + index) && undefined),
    )
  return { clock, pace, ran, holding, ignored, send }
}

test('[RATE4] of one connection 64 messages are taken in one turn, the next with the next', () => {
  const { clock, ran, holding, send } = scene(1_000_000)
  send(150)
  expect([ran.length, holding]).toEqual([64, [true]])
  clock.endTurn()
  expect(ran.length).toBe(128)
  // Not past those that wait.
  send(1, 150)
  expect(ran.length).toBe(128)
  clock.endTurn()
  expect([ran, holding]).toEqual([Array.from({ length: 151 }, (_, index) => index), [true, false]])
  clock.endTurn()
  expect(clock.pendingTimers).toBe(0)
})

test('[RATE1] after its burst a connection gets what a second allows, in order, and no timer is left', () => {
  const { clock, ran, holding, send } = scene(10)
  send(60)
  expect(ran.length).toBe(50)
  for (let tenth = 1; tenth <= 12; tenth++) {
    clock.endTurn()
    clock.advance(101)
    expect(ran.length).toBeLessThanOrEqual(50 + tenth + 1)
  }
  expect([ran, holding]).toEqual([Array.from({ length: 60 }, (_, index) => index), [true, false]])
  expect(clock.pendingTimers).toBe(0)
})

test('[RATE1] what was too early when it came is taken also when its time came while that was found out', () => {
  class TickingClock extends ManualClock {
    tickMs = 0
    #late = 0
    override now(): number {
      const now = super.now() + this.#late
      this.#late += this.tickMs
      return now
    }
  }
  const clock = new TickingClock()
  const { ran, holding, send } = scene(10, clock)
  send(50)
  clock.endTurn()
  clock.tickMs = 1
  send(1, 50)
  clock.tickMs = 0
  expect([ran.length, holding]).toEqual([50, [true]])
  clock.advance(1)
  expect([ran.length, holding]).toEqual([51, [true, false]])
  clock.endTurn()
  expect(clock.pendingTimers).toBe(0)
})

test('[RATE1] who leaves and comes back to get more through owes it, and is refused with a minute owed', async () => {
  const { ran, pace, send } = scene(1)
  const outcomes = send(200)
  pace.release()
  const refused = await Promise.all(
    outcomes.slice(5).map((outcome) =>
      (outcome as Promise<unknown>).then(
        () => null,
        (error: DocumentError) => error.code,
      ),
    ),
  )
  expect(ran.length).toBeGreaterThan(60)
  expect(ran.length).toBeLessThan(70)
  expect(refused.slice(ran.length - 5)).toEqual(
    Array.from({ length: 200 - ran.length }, () => 'too-many-requests'),
  )
})

test('[RATE2] with more held than is bearable everything held is refused, and nothing more is taken', async () => {
  const { ran, ignored, send, clock } = scene(1)
  const outcomes = send(7, 0, 4_000_000)
  const late = outcomes
    .slice(5)
    .map((outcome) => (outcome as Promise<unknown>).catch((error: DocumentError) => error.code))
  expect(() => send(1, 7, 4_000_000)).toThrow('wait for answers')
  expect(() => send(1, 8)).toThrow('wait for answers')
  expect(await Promise.all(late)).toEqual(['too-many-requests', 'too-many-requests'])
  expect([ran.length, ignored.map(({ code }) => code)]).toEqual([5, ['too-many-requests']])
  expect(clock.pendingTimers).toBe(0)
})

test('[RATE1] the time of day that is set back lets nobody wait longer', () => {
  const { clock, ran, send } = scene(1)
  send(6)
  clock.setBack(3_600_000)
  for (let second = 0; second < 3; second++) {
    clock.endTurn()
    clock.advance(1100)
  }
  expect(ran.length).toBe(6)
})
