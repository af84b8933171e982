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
