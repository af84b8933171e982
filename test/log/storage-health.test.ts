import { describe, expect, test } from 'vitest'
import { StorageHealth } from '../../src/log/storage-health.ts'
import { memoryStorage } from '../../src/storage/memory-storage.ts'
import { ManualClock } from '../support/manual-clock.ts'

describe('T8 [HTTP5] after a failed write', () => {
  test('the storage is tried after one second, two, four… and at most every half minute, until it takes a write', async () => {
    const { health, clock, attempts, settle } = await scene()
    health.handleFailed(new Error('disk full'))
    expect(health.fault).toBe('disk full')
    for (const seconds of [1, 2, 4, 8, 16, 30, 30]) {
      const before = attempts.length
      clock.advance(seconds * 1000 - 1)
      expect(attempts.length).toBe(before)
      clock.advance(1)
      expect(attempts.length).toBe(before + 1)
      await settle(new Error('still full'))
      expect(health.fault).toBe('still full')
    }
    clock.advance(30_000)
    await settle(null)
    expect(health.fault).toBeNull()
    expect(clock.pendingTimers).toBe(0)
    // It begins anew with the next failure.
    health.handleFailed(new Error('again'))
    clock.advance(1000)
    expect(attempts.length).toBe(9)
  })

  test('a write of somebody else heals it, and there is one attempt at a time', async () => {
    const { health, clock, attempts, settle } = await scene()
    health.handleFailed(new Error('disk full'))
    health.handleFailed(new Error('disk full'))
    expect(clock.pendingTimers).toBe(1)
    health.handleWritten()
    expect([health.fault, clock.pendingTimers]).toEqual([null, 0])
    health.handleFailed(new Error('disk full'))
    clock.advance(1000)
    health.handleFailed(new Error('meanwhile'))
    expect([attempts.length, clock.pendingTimers]).toEqual([1, 0])
    await settle(new Error('still full'))
    expect(clock.pendingTimers).toBe(1)
  })

  test('closing leaves no timer, also when an attempt ends after it', async () => {
    const { health, clock, settle } = await scene()
    health.handleFailed(new Error('disk full'))
    clock.advance(1000)
    health.close()
    await settle(new Error('closed'))
    health.handleFailed(new Error('closed'))
    expect(clock.pendingTimers).toBe(0)
  })
})

/** A storage whose appends wait until the test settles them. */
async function scene(): Promise<{
  health: StorageHealth
  clock: ManualClock
  attempts: readonly unknown[]
  settle: (error: Error | null) => Promise<void>
}> {
  const clock = new ManualClock()
  const storage = memoryStorage()
  await storage.open()
  const attempts: ((error: Error | null) => void)[] = []
  storage.append = (batch) => {
    expect(batch).toEqual([])
    return new Promise((resolve, reject) =>
      attempts.push((error) => (error === null ? resolve([]) : reject(error))),
    )
  }
  const settle = async (error: Error | null): Promise<void> => {
    attempts.at(-1)?.(error)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { health: new StorageHealth(storage, clock), clock, attempts, settle }
}
