import { expect, test } from 'vitest'
import { UpdateCursor } from '../../client/update-cursor.ts'

test('a cursor connects to what begins at or before its next entry', () => {
  const cursor = new UpdateCursor(4)
  expect(cursor.connects(5)).toBe(true)
  expect(cursor.connects(2)).toBe(true)
  expect(cursor.connects(6)).toBe(false)
})

test('own entries above a hole count once the hole is filled', () => {
  const cursor = new UpdateCursor(4)
  cursor.handleAcknowledged(7, true)
  cursor.handleAcknowledged(8, true)
  expect(cursor.seq).toBe(4)
  expect(cursor.isBehind).toBe(true)
  cursor.handleRange(5, 6)
  expect(cursor.seq).toBe(8)
  expect(cursor.isBehind).toBe(false)
  expect(cursor.connects(9)).toBe(true)
})

test('an own entry that was relayed, too, does not move the cursor twice', () => {
  const cursor = new UpdateCursor(0)
  cursor.handleAcknowledged(2, true)
  cursor.handleRange(1, 2)
  cursor.handleAcknowledged(1, true)
  expect(cursor.seq).toBe(2)
  cursor.handleAcknowledged(4, true)
  cursor.handleRange(3, 3)
  expect(cursor.seq).toBe(4)
})

test('the acknowledgement of an update that changed nothing tells how far the log reaches, no more', () => {
  const cursor = new UpdateCursor(4)
  cursor.handleAcknowledged(5, false)
  expect(cursor).toMatchObject({ seq: 4, isBehind: true })
  expect(cursor.connects(6)).toBe(false)
  cursor.handleAcknowledged(6, true)
  cursor.handleRange(5, 5)
  expect(cursor).toMatchObject({ seq: 6, isBehind: false })
})

test('a hint makes it behind, and is no possession', () => {
  const cursor = new UpdateCursor(4)
  cursor.handleHint(6)
  expect(cursor.isBehind).toBe(true)
  expect(cursor.seq).toBe(4)
  cursor.handleRange(5, 5)
  expect(cursor.isBehind).toBe(true)
  cursor.handleRange(6, 6)
  expect(cursor.isBehind).toBe(false)
})
