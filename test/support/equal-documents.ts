import * as Y from 'yjs'
import { expect } from 'vitest'

/** Equal by state vector and delete set: equal state vectors alone say nothing about deletions. [T17] */
export function expectEqualDocuments(actual: Y.Doc, expected: Y.Doc): void {
  expect(Y.equalSnapshots(Y.snapshot(actual), Y.snapshot(expected))).toBe(true)
  expect(actual.store.pendingStructs).toBeNull()
  expect(actual.store.pendingDs).toBeNull()
}
