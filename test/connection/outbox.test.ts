import { describe, expect, test } from 'vitest'
import { Admission } from '../../src/connection/admission.ts'
import { Outbox } from '../../src/connection/outbox.ts'
import { ManualClock } from '../support/manual-clock.ts'

function scene(hardBytes = 1000) {
  const clock = new ManualClock()
  let stalls = 0
  const outbox = new Outbox({
    clock,
    softBytes: 100,
    hardBytes,
    stallMs: 30_000,
    onStalled: () => stalls++,
  })
  return { clock, outbox, stalls: () => stalls }
}

describe('an outbox', () => {
  test('[OUT1] is congested over the soft limit, and tells once when nearly everything has left', () => {
    const { outbox } = scene()
    let drained = 0
    outbox.charge(80)
    outbox.charge(80)
    expect([outbox.bytesInFlight, outbox.isCongested]).toEqual([160, true])
    outbox.whenDrained(() => drained++)
    outbox.discharge(80)
    expect([outbox.isCongested, drained]).toEqual([false, 0])
    // Somebody who types has always an acknowledgement in flight.
    outbox.charge(12)
    outbox.discharge(80)
    expect([outbox.bytesInFlight, drained]).toEqual([12, 1])
    outbox.discharge(12)
    expect(drained).toBe(1)
    outbox.whenDrained(() => drained++)
    expect(drained).toBe(2)
  })

  test('[OUT2] a reader over the hard limit, or one that reads nothing for too long, is given up', () => {
    const over = scene()
    over.outbox.charge(501)
    over.outbox.charge(501)
    expect(over.stalls()).toBe(0)
    over.outbox.charge(501)
    expect(over.stalls()).toBe(1)

    const slow = scene()
    slow.outbox.charge(10)
    slow.outbox.charge(10)
    slow.clock.advance(29_999)
    slow.outbox.discharge(10)
    // It read something: the patience begins anew.
    slow.clock.advance(29_999)
    expect(slow.stalls()).toBe(0)
    slow.clock.advance(1)
    expect(slow.stalls()).toBe(1)
  })

  test('[OUT2] one message larger than the hard limit drives nobody away, nor does what little follows it', () => {
    const { outbox, stalls } = scene()
    outbox.charge(20_000)
    for (let acknowledgement = 0; acknowledgement < 10; acknowledgement++) outbox.charge(100)
    expect(stalls()).toBe(0)
    outbox.charge(1)
    expect(stalls()).toBe(1)

    // Once it has left, the limit is the limit again.
    const later = scene()
    later.outbox.charge(20_000)
    later.outbox.discharge(20_000)
    for (let message = 0; message < 11; message++) later.outbox.charge(100)
    expect(later.stalls()).toBe(0)
    later.outbox.charge(100)
    expect(later.stalls()).toBe(1)
  })

  test('[OUT2] what a predecessor on the same connection left in flight counts', () => {
    const clock = new ManualClock()
    let stalls = 0
    const options = { clock, softBytes: 100, hardBytes: 1000, stallMs: 30_000 }
    const outbox = new Outbox({ ...options, onStalled: () => stalls++, bytesInFlight: 900 })
    expect(outbox.isCongested).toBe(true)
    clock.advance(30_000)
    expect(stalls).toBe(1)
    outbox.charge(101)
    outbox.charge(101)
    expect(stalls).toBe(2)
  })

  test('[OUT4] a large message that keeps leaving is waited for, however long; one that stops is given up', () => {
    const clock = new ManualClock()
    let stalls = 0
    let unwritten: number | null = 20_000
    const outbox = new Outbox({
      clock,
      softBytes: 100,
      hardBytes: 1000,
      stallMs: 30_000,
      onStalled: () => stalls++,
      unwrittenBytes: () => unwritten,
    })
    outbox.charge(20_000)
    for (let minute = 0; minute < 10; minute++) {
      unwritten -= 1000
      clock.advance(30_000)
    }
    expect(stalls).toBe(0)
    clock.advance(30_000)
    expect(stalls).toBe(1)

    // Where it cannot be seen, it is not waited for.
    outbox.discharge(20_000)
    unwritten = null
    outbox.charge(20_000)
    clock.advance(30_000)
    expect(stalls).toBe(2)
    outbox.close()
    expect(clock.pendingTimers).toBe(0)
  })

  test('[OUT2] an idle or closed outbox keeps no timer', () => {
    const { clock, outbox } = scene()
    outbox.charge(10)
    outbox.discharge(10)
    expect(clock.pendingTimers).toBe(0)
    outbox.charge(10)
    outbox.close()
    outbox.charge(10)
    expect(clock.pendingTimers).toBe(0)
  })
})

describe('admission', () => {
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

  test('[OUT3] eight requests are under way, and none begins while the outbox is congested', async () => {
    // Eight answers of 256 KiB are half of it.
    const { clock, outbox } = scene(4 * 1024 * 1024)
    const admission = new Admission(outbox)
    const begun: (() => void)[] = []
    for (let request = 0; request < 20; request++)
      void admission.enter(0).then((leave) => begun.push(leave))
    await turn()
    expect(begun).toHaveLength(8)
    outbox.charge(101)
    for (const leave of begun.slice(0, 8)) leave()
    clock.endTurn()
    await turn()
    expect(begun).toHaveLength(8)
    outbox.discharge(101)
    await turn()
    expect(begun).toHaveLength(16)
    begun[8]!()
    await turn()
    // Not before its answer was handed to the connection and counted.
    expect(begun).toHaveLength(16)
    clock.endTurn()
    await turn()
    expect(begun).toHaveLength(17)
  })

  test('[OUT3] what waits is bounded, and is refused when the connection goes', async () => {
    const { outbox } = scene()
    const admission = new Admission(outbox)
    outbox.charge(101)
    // However large, one may wait.
    const codes: string[] = []
    const enter = (bytes: number): void =>
      void admission.enter(bytes).catch((error: { code: string }) => codes.push(error.code))
    enter(5 * 1024 * 1024)
    enter(0)
    await turn()
    expect(codes).toEqual(['too-many-requests'])
    admission.close()
    await turn()
    expect(codes).toEqual(['too-many-requests', 'server-closing'])
    for (let request = 0; request < 5000; request++) enter(0)
    await turn()
    expect(codes).toHaveLength(2 + 5000 - 4096)
  })
})
