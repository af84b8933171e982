import { expect, test, vi } from 'vitest'
import * as Y from 'yjs'
import type * as Protocol from '../../protocol/index.ts'
import { ProviderError } from '../../client/index.ts'
import { PendingBuffer } from '../../client/pending-buffer.ts'
import { SaveLedger } from '../../client/save-ledger.ts'
import { encodeIntegrated } from '../../client/upload-plan.ts'

const NO_LIMIT = 1e9

/** The bytes of all updates that were merged. */
const merging = vi.hoisted(() => ({ bytes: 0 }))

vi.mock('../../protocol/index.ts', async (importOriginal) => {
  const protocol = await importOriginal<typeof Protocol>()
  return {
    ...protocol,
    mergeAsTree: (updates: readonly Uint8Array[]) => {
      for (const update of updates) merging.bytes += update.length
      return protocol.mergeAsTree(updates)
    },
  }
})

function typedDocument(letters: number, handleUpdate: (update: Uint8Array) => void): Y.Doc {
  const doc = new Y.Doc()
  doc.on('update', handleUpdate)
  const body = doc.getText('body')
  for (let index = 0; index < letters; index++) body.insert(index, String(index % 10))
  return doc
}

function textOf(...updates: (Uint8Array | null)[]): string {
  const doc = new Y.Doc()
  for (const update of updates) if (update !== null) Y.applyUpdate(doc, update)
  return doc.getText('body').toJSON()
}

function ledgerWith(letters: number): { ledger: SaveLedger; doc: Y.Doc } {
  const updates: Uint8Array[] = []
  const doc = typedDocument(letters, (update) => updates.push(update))
  const ledger = new SaveLedger(doc, () => undefined)
  for (const update of updates) ledger.add(update)
  return { ledger, doc }
}

test('T24 100,000 changes made offline stay a few pieces, and cheap', () => {
  const buffer = new PendingBuffer()
  let addedBytes = 0
  merging.bytes = 0
  const doc = typedDocument(100_000, (update) => {
    addedBytes += update.length
    buffer.add({ update, changes: 1 })
  })
  // Each goes through about three merges. Merged one by one it would be fifty thousand (DESIGN.md §5).
  expect(merging.bytes).toBeGreaterThan(addedBytes)
  expect(merging.bytes).toBeLessThan(4 * addedBytes)
  expect(buffer.changes).toBe(100_000)
  const piece = buffer.take(NO_LIMIT)
  expect(piece?.changes).toBe(100_000)
  expect(textOf(piece?.update ?? null)).toBe(doc.getText('body').toJSON())
  expect(piece?.update.length).toBeLessThan(1_200_000)
})

test('what is taken in pieces of a bounded size is complete, in order, and each within the size', () => {
  const buffer = new PendingBuffer()
  const doc = typedDocument(1000, (update) => buffer.add({ update, changes: 1 }))
  const pieces = []
  for (let piece = buffer.take(2000); piece !== null; piece = buffer.take(2000)) pieces.push(piece)
  expect(pieces.length).toBeGreaterThan(4)
  expect(pieces.every((piece) => piece.update.length <= 2000)).toBe(true)
  expect(pieces.reduce((sum, piece) => sum + piece.changes, 0)).toBe(1000)
  const receiver = new Y.Doc()
  for (const { update } of pieces) {
    Y.applyUpdate(receiver, update)
    expect(receiver.store.pendingStructs).toBeNull()
  }
  expect(receiver.getText('body').toJSON()).toBe(doc.getText('body').toJSON())
})

test('a piece larger than the size is taken alone', () => {
  const buffer = new PendingBuffer()
  for (const letter of ['a', 'b']) {
    const doc = new Y.Doc()
    doc.getText('body').insert(0, letter.repeat(500))
    buffer.add({ update: Y.encodeStateAsUpdate(doc), changes: 1 })
  }
  expect(textOf(buffer.take(100)?.update ?? null)).toBe('a'.repeat(500))
  expect(textOf(buffer.take(100)?.update ?? null)).toBe('b'.repeat(500))
  expect(buffer.take(100)).toBeNull()
})

test('a change counts until it is confirmed, wherever it is', () => {
  const { ledger } = ledgerWith(3)
  expect(ledger.unsyncedChanges).toBe(3)
  const piece = ledger.take(NO_LIMIT)
  expect(ledger.unsyncedChanges).toBe(3)
  ledger.putAllBack()
  expect(ledger.unsyncedChanges).toBe(3)
  expect(piece && ledger.confirm(piece)).toBeUndefined()
  // It had gone back: its confirmation from a dead connection confirms nothing.
  expect(ledger.unsyncedChanges).toBe(3)
  const again = ledger.take(NO_LIMIT)
  if (again !== null) ledger.confirm(again)
  expect(ledger.unsyncedChanges).toBe(0)
  expect(ledger.pendingUpdate()).toBeNull()
})

test('a refusal for good keeps the bytes and stops sending, until it is lifted', () => {
  const { ledger, doc } = ledgerWith(4)
  const piece = ledger.take(NO_LIMIT)
  if (piece !== null) ledger.putBack(piece)
  ledger.reject(new ProviderError('read-only', 'no', { retry: 'never' }))
  expect(ledger.take(NO_LIMIT)).toBeNull()
  expect(ledger.unsyncedChanges).toBe(4)
  expect(textOf(ledger.pendingUpdate())).toBe(doc.getText('body').toJSON())
  ledger.resume()
  expect(ledger.take(NO_LIMIT)?.changes).toBe(4)
})

test('reconcile leaves the buffer alone when it holds all that the server lacks', () => {
  const { ledger } = ledgerWith(5)
  ledger.reconcile(new Uint8Array([0]))
  expect(ledger.unsyncedChanges).toBe(5)
  expect(ledger.take(NO_LIMIT)?.changes).toBe(5)
})

test('T24 a long time offline is uploaded as the runs of text that it is', () => {
  const { ledger, doc } = ledgerWith(2000)
  expect(ledger.pendingUpdate()?.length).toBeGreaterThan(15_000)
  ledger.reconcile(new Uint8Array([0]))
  const piece = ledger.take(NO_LIMIT)
  expect(piece).toMatchObject({ changes: 2000 })
  expect(piece?.update.length).toBeLessThan(2100)
  expect(textOf(piece?.update ?? null)).toBe(doc.getText('body').toJSON())
})

test('T14 reconcile takes from the document what the server lost', () => {
  const { ledger, doc } = ledgerWith(5)
  const saved = ledger.take(NO_LIMIT)
  if (saved !== null) ledger.confirm(saved)
  ledger.reconcile(new Uint8Array([0]))
  expect(ledger.unsyncedChanges).toBe(1)
  expect(textOf(ledger.take(NO_LIMIT)?.update ?? null)).toBe(doc.getText('body').toJSON())
})

test('T62 unverified content that the server has is not uploaded', () => {
  const doc = typedDocument(5, () => undefined)
  const ledger = new SaveLedger(doc, () => undefined)
  ledger.markUnverified()
  expect(ledger.unsyncedChanges).toBe(1)
  expect(textOf(ledger.pendingUpdate())).toBe('01234')
  ledger.reconcile(Y.encodeStateVector(doc))
  expect(ledger.unsyncedChanges).toBe(0)
  expect(ledger.take(NO_LIMIT)).toBeNull()
})

test('T61 unverified deletions are uploaded though no state vector shows them', () => {
  const doc = typedDocument(5, () => undefined)
  const server = new Y.Doc()
  Y.applyUpdate(server, Y.encodeStateAsUpdate(doc))
  doc.getText('body').delete(0, 2)
  const ledger = new SaveLedger(doc, () => undefined)
  ledger.markUnverified()
  ledger.reconcile(Y.encodeStateVector(server))
  const piece = ledger.take(NO_LIMIT)
  expect(piece).not.toBeNull()
  if (piece !== null) Y.applyUpdate(server, piece.update)
  expect(server.getText('body').toJSON()).toBe('234')
})

test('T13 structs that wait for missing ones are not uploaded, and stay in the document', () => {
  const updates: Uint8Array[] = []
  typedDocument(3, (update) => updates.push(update))
  const doc = new Y.Doc()
  Y.applyUpdate(doc, updates[0] as Uint8Array)
  Y.applyUpdate(doc, updates[2] as Uint8Array)
  expect(doc.store.pendingStructs).not.toBeNull()
  const update = encodeIntegrated(doc)
  expect(update && Y.parseUpdateMeta(update).to.values().next().value).toBe(1)
  expect(doc.store.pendingStructs).not.toBeNull()
  Y.applyUpdate(doc, updates[1] as Uint8Array)
  expect(doc.getText('body').toJSON()).toBe('012')
})
