import { describe, expect, test } from 'vitest'
import { Outbox } from '../../src/connection/outbox.ts'
import { ManualClock } from '../support/manual-clock.ts'

function scene() {
  const clock = new ManualClock()
  let stalls = 0
  const outbox = new Outbox({
    clock,
    softBytes: 100,
    hardBytes: 1000,
    stallMs: 30_000,
    onStalled: () => stalls++,
  })
  return { clock, outbox, stalls: () => stalls }
}

describe('an outbox', () => {
  test('[OUT1] is congested over the soft limit, and tells once when everything has left', () => {
    const { outbox } = scene()
    let drained = 0
    const [first, second] = [outbox.charge(80), outbox.charge(80)]
    expect([outbox.bytesInFlight, outbox.isCongested]).toEqual([160, true])
    outbox.whenDrained(() => drained++)
    first()
    expect([outbox.isCongested, drained]).toEqual([false, 0])
    second()
    expect([outbox.bytesInFlight, drained]).toEqual([0, 1])
    outbox.charge(1)()
    expect(drained).toBe(1)
    outbox.whenDrained(() => drained++)
    expect(drained).toBe(2)
  })

  test('[OUT2] a reader over the hard limit, or one that reads nothing for too long, is given up', () => {
    const over = scene()
    over.outbox.charge(1001)
    expect(over.stalls()).toBe(1)

    const slow = scene()
    const first = slow.outbox.charge(10)
    slow.outbox.charge(10)
    slow.clock.advance(29_999)
    first()
    // It read something: the patience begins anew.
    slow.clock.advance(29_999)
    expect(slow.stalls()).toBe(0)
    slow.clock.advance(1)
    expect(slow.stalls()).toBe(1)
  })

  test('[OUT2] an idle or closed outbox keeps no timer', () => {
    const { clock, outbox } = scene()
    outbox.charge(10)()
    expect(clock.pendingTimers).toBe(0)
    outbox.charge(10)
    outbox.close()
    expect(clock.pendingTimers).toBe(0)
  })
})
