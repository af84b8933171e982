import { expect, test } from 'vitest'
import { RecentEntries } from '../../src/document/recent-entries.ts'

test('[RELAY3] entries over the bound are forgotten, the oldest first, but none that was not relayed', () => {
  const recent = new RecentEntries(250, 7)
  for (let seq = 8; seq <= 12; seq++)
    recent.push({ seq, update: new Uint8Array(100), origin: null })
  recent.trim(7)
  expect([recent.since, recent.bytes]).toEqual([7, 500])
  recent.trim(9)
  expect(recent.after(9).map(({ seq }) => seq)).toEqual([10, 11, 12])
  expect([recent.since, recent.bytes]).toEqual([9, 300])
  recent.trim(12)
  expect([recent.since, recent.bytes, recent.head]).toEqual([10, 200, 12])
})

test('[RELAY3] many that were relayed are the same entries still, and go in the same order', () => {
  const recent = new RecentEntries(10_000, 0)
  const updateOf = (seq: number): Uint8Array =>
    new Uint8Array(seq === 300 ? 20_000 : (seq % 40) + 1).fill(seq)
  const forgotten = new Set<number>()
  for (let seq = 1; seq <= 1000; seq++) {
    recent.push({ seq, update: updateOf(seq), origin: null })
    if (seq % 90 !== 0) continue
    const relayed = seq - 5
    recent.trim(relayed)
    const { since } = recent
    forgotten.add(since)
    expect(since).toBeLessThanOrEqual(relayed)
    for (const from of [since, since + 1, Math.max(since, relayed - 70), relayed])
      expect(recent.after(from)).toEqual(
        Array.from({ length: seq - from }, (_, index) => ({
          seq: from + 1 + index,
          update: updateOf(from + 1 + index),
          origin: null,
        })),
      )
    expect(recent.bytes).toBe(recent.after(since).reduce((sum, one) => sum + one.update.length, 0))
  }
  expect(recent.bytes).toBeLessThanOrEqual(10_000)
  expect(forgotten.size).toBeGreaterThan(3)
})
