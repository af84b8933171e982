import { deepStrictEqual, rejects, strictEqual } from 'node:assert/strict'
import { type DocumentName, type Epoch, isDocumentName } from '../../protocol/index.ts'
import { StorageError, type StorageErrorCode } from '../errors.ts'
import type { LogEntry, NewEntry, Storage } from './storage.ts'

/** What the cases of the storage contract are written with. */

export function asName(text: string): DocumentName {
  if (!isDocumentName(text)) throw new TypeError(`${JSON.stringify(text)} is no document name`)
  return text
}

/** An entry whose content tells its number. */
export function entry(number: number): NewEntry {
  return { update: new TextEncoder().encode(`update ${number}`), author: 'ada', receivedAt: number }
}

export function entriesOf(first: number, last: number): readonly NewEntry[] {
  return Array.from({ length: last - first + 1 }, (_, position) => entry(first + position))
}

/** The same entries as a log has them. */
export function numbered(first: number, last: number): readonly LogEntry[] {
  return entriesOf(first, last).map((one, position) => ({ seq: first + position, ...one }))
}

/** The whole log that can be read, in steps small enough to be several. */
export async function readAll(
  storage: Storage,
  name: DocumentName,
  epoch: Epoch,
  after = 0,
): Promise<readonly LogEntry[]> {
  const entries: LogEntry[] = []
  for (;;) {
    const more = await storage.readEntries(name, epoch, entries.at(-1)?.seq ?? after, 500)
    if (more.length === 0) return entries
    entries.push(...more)
  }
}

/** The update of a snapshot, or null when a chunk of it is gone. */
export async function readSnapshot(
  storage: Storage,
  name: DocumentName,
  epoch: Epoch,
  snapshot: { readonly seq: number; readonly bytes: number; readonly chunkBytes: number },
): Promise<Uint8Array | null> {
  const update = new Uint8Array(snapshot.bytes)
  for (let offset = 0, chunk = 0; offset < snapshot.bytes; chunk++) {
    const bytes = await storage.readSnapshotChunk(name, epoch, snapshot.seq, chunk)
    if (bytes === null) return null
    strictEqual(bytes.length, Math.min(snapshot.chunkBytes, snapshot.bytes - offset))
    update.set(bytes, offset)
    offset += bytes.length
  }
  return update
}

/** Compares by value. A Buffer stands for the bytes it holds: what kind of Uint8Array comes back is left open. */
export function assertEqual(actual: unknown, expected: unknown): void {
  deepStrictEqual(plain(actual), plain(expected))
}

export async function assertRejects(
  promise: Promise<unknown>,
  code: StorageErrorCode,
): Promise<void> {
  await rejects(promise, (error: unknown) => {
    strictEqual(error instanceof StorageError && error.code, code, String(error))
    return true
  })
}

function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return new Uint8Array(value)
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]))
}
