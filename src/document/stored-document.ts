import type { DocumentName, Epoch, SnapshotReference } from '../../protocol/index.ts'
import { StorageError } from '../errors.ts'
import type { StoredParts } from '../log/fold.ts'
import type { DocumentHead, LogEntry, Storage } from '../storage/storage.ts'
import { DocumentIndex } from '../update/document-index.ts'
import { NO_SCAN_LIMITS } from '../update/scan-limits.ts'
import { scanUpdate } from '../update/update-scan.ts'

/** Where a document's bytes lie: its epoch and newest snapshot (its index only matters for folding). */
export interface Origin {
  readonly epoch: Epoch
  readonly snapshot: (SnapshotReference & { readonly index?: Uint8Array }) | null
}

/** One page of log entries; large enough for few calls, small enough to let other reads in between. */
const PAGE_BYTES = 1024 * 1024

/** Every log entry after `after` up to `upTo`, page by page. Rejects when one of them is not there. */
async function* readLog(
  storage: Storage,
  name: DocumentName,
  origin: Origin,
  after: number,
  upTo: number,
): AsyncGenerator<readonly LogEntry[]> {
  let position = after
  while (position < upTo) {
    const page = await storage.readEntries(name, origin.epoch, position, PAGE_BYTES)
    const entries = page.filter((entry) => entry.seq <= upTo)
    const first = entries[0]
    const last = entries.at(-1)
    if (first === undefined || last === undefined || first.seq !== position + 1)
      throw new StorageError(
        'record-damaged',
        `document ${JSON.stringify(name)}: log entry ${position + 1} of ${upTo} is missing`,
      )
    yield entries
    position = last.seq
  }
}

/** The bytes of a snapshot, in a buffer of their own. */
async function readSnapshot(
  storage: Storage,
  name: DocumentName,
  epoch: Epoch,
  snapshot: SnapshotReference,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(snapshot.bytes)
  let offset = 0
  for (let chunk = 0; offset < snapshot.bytes; chunk++) {
    const part = await storage.readSnapshotChunk(name, epoch, snapshot.seq, chunk)
    if (part === null || offset + part.length > snapshot.bytes || part.length === 0)
      throw new StorageError(
        'record-damaged',
        `document ${JSON.stringify(name)}: chunk ${chunk} of snapshot ${snapshot.seq} is missing`,
      )
    bytes.set(part, offset)
    offset += part.length
  }
  return bytes
}

/** A document up to `upTo` (at least the snapshot's seq) as the bytes that stand for it. */
export async function readParts(
  storage: Storage,
  name: DocumentName,
  origin: Origin,
  upTo: number,
): Promise<StoredParts> {
  const { epoch, snapshot } = origin
  const updates: Uint8Array[] = []
  for await (const page of readLog(storage, name, origin, snapshot?.seq ?? 0, upTo))
    for (const entry of page) updates.push(entry.update)
  return {
    snapshot: snapshot === null ? null : await readSnapshot(storage, name, epoch, snapshot),
    index: snapshot?.index ?? null,
    updates,
  }
}

/** The index of a stored document, and the log entries after its snapshot. No CRDT is decoded for it. */
export async function loadIndex(
  storage: Storage,
  name: DocumentName,
  head: DocumentHead,
): Promise<{ index: DocumentIndex; tail: LogEntry[] }> {
  const index =
    head.snapshot === null ? new DocumentIndex() : DocumentIndex.decode(head.snapshot.index)
  const tail: LogEntry[] = []
  for await (const page of readLog(storage, name, head, head.snapshot?.seq ?? 0, head.seq)) {
    for (const entry of page) {
      const scan = scanUpdate(entry.update, (client) => index.clockOf(client), NO_SCAN_LIMITS)
      if (scan.verdict !== 'valid')
        throw new StorageError(
          'record-damaged',
          `document ${JSON.stringify(name)}: log entry ${entry.seq} does not follow from those before it (${scan.message})`,
        )
      index.apply(scan)
      tail.push(entry)
    }
  }
  return { index, tail }
}
