import { describe, expect, test } from 'vitest'
import { BulkPacer } from '../../src/connection/bulk-pacer.ts'
import { ManualClock } from '../support/manual-clock.ts'

const KIB = 1024

describe('the pacer of large answers', () => {
  test('[JOIN15] lets about a mebibyte out per turn, in the order of asking; small answers pass at once', async () => {
    const clock = new ManualClock()
    const pacer = new BulkPacer(clock)
    const given: number[] = []
    const ask = async (id: number, bytes: number): Promise<void> => {
      await pacer.enter(bytes)
      given.push(id)
    }
    const asked = Array.from({ length: 10 }, (_, id) => ask(id, 256 * KIB))
    asked.push(ask(10, KIB))
    await Promise.resolve()
    expect(given).toEqual([0, 1, 2, 3, 10])
    clock.endTurn()
    await asked[7]
    expect(given).toEqual([0, 1, 2, 3, 10, 4, 5, 6, 7])
    // Who comes now stands behind those who wait.
    const late = ask(11, 256 * KIB)
    clock.endTurn()
    await late
    expect(given.slice(-3)).toEqual([8, 9, 11])
    clock.endTurn()
    // Larger than a turn's share: alone, but at once.
    await ask(12, 5000 * KIB)
    const behind = ask(13, 256 * KIB)
    await Promise.resolve()
    expect(given.at(-1)).toBe(12)
    clock.endTurn()
    await behind
    clock.endTurn()
    expect(clock.pendingTimers).toBe(0)
  })
})
