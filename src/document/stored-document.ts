import type { DocumentName, Epoch, SnapshotReference } from '../../protocol/index.ts'
import { DocumentError, StorageError } from '../errors.ts'
import type { PackedSnapshot, StoredParts } from '../log/fold.ts'
import { packPage, PackedUpdates, type UpdatePage } from '../log/packed-updates.ts'
import type { DocumentHead, LogEntry, Storage, StoredChunk } from '../storage/storage.ts'
import { DocumentIndex } from '../update/document-index.ts'
import { NO_SCAN_LIMITS } from '../update/scan-limits.ts'
import { scanUpdate } from '../update/update-scan.ts'

/** Where a document's bytes lie: its epoch and newest snapshot (its index only matters for folding). */
interface Origin {
  readonly epoch: Epoch
  readonly snapshot: (SnapshotReference & { readonly index?: Uint8Array }) | null
}

/**
 * One page of log entries; large enough for few calls, small enough to let other reads in between. Each entry is three objects until
 * it is packed: of a page of keystrokes 2 MB.
 */
const PAGE_BYTES = 128 * 1024

/** A snapshot goes away by two folds while it is read, or when it is found damaged: neither happens again at once. */
const READ_ATTEMPTS = 3

/** Every log entry after `after` up to `upTo`, page by page. Rejects with `snapshot-replaced` when one of them is not there. */
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
    // Folded into a newer snapshot meanwhile, or the document was deleted. [ST6]
    if (first === undefined || last === undefined || first.seq !== position + 1)
      throw new DocumentError(
        'snapshot-replaced',
        `log entry ${position + 1} of ${upTo} is not there any more`,
      )
    yield entries
    position = last.seq
  }
}

/** What was read is its reader's own, and may be given to another thread. */
export interface ReadParts<Snapshot extends StoredParts['snapshot']> extends StoredParts {
  readonly snapshot: Snapshot | null
  readonly updates: PackedUpdates
}

type SnapshotReader<Snapshot> = (
  storage: Storage,
  name: DocumentName,
  epoch: Epoch,
  snapshot: SnapshotReference,
) => Promise<Snapshot>

/** The bytes of a snapshot, in a buffer of their own. */
export const wholeSnapshot: SnapshotReader<Uint8Array> = async (storage, name, epoch, snapshot) => {
  const bytes = new Uint8Array(snapshot.bytes)
  let offset = 0
  for (let chunk = 0; offset < snapshot.bytes; chunk++) {
    const part = await storage.readSnapshotChunk(name, epoch, snapshot.seq, chunk)
    if (part === null)
      throw new DocumentError('snapshot-replaced', `snapshot ${snapshot.seq} is gone`)
    if (offset + part.length > snapshot.bytes || part.length === 0)
      throw new StorageError(
        'record-damaged',
        `document ${JSON.stringify(name)}: chunk ${chunk} of snapshot ${snapshot.seq} has another length than its manifest says`,
      )
    bytes.set(part, offset)
    offset += part.length
  }
  return bytes
}

/**
 * The same for a worker thread. What it can inflate itself takes less of this thread and of its heap, where 10 MB in the making have
 * V8 collect garbage four times, and takes it with a lower priority.
 */
export const packedSnapshot: SnapshotReader<Uint8Array | PackedSnapshot> = async (
  storage,
  name,
  epoch,
  snapshot,
) => {
  if (storage.readStoredChunk === undefined) return wholeSnapshot(storage, name, epoch, snapshot)
  const chunks: StoredChunk[] = []
  const count = Math.ceil(snapshot.bytes / snapshot.chunkBytes)
  for (let chunk = 0; chunk < count; chunk++) {
    const stored = await storage.readStoredChunk(name, epoch, snapshot.seq, chunk)
    if (stored === null)
      throw new DocumentError('snapshot-replaced', `snapshot ${snapshot.seq} is gone`)
    chunks.push(stored)
  }
  return { chunks, byteLength: snapshot.bytes }
}

/**
 * A document up to `upTo` (at least the snapshot's seq) as the bytes that stand for it. Rejects with
 * `snapshot-replaced` when the snapshot went away meanwhile: look at the head again.
 */
export async function readParts<Snapshot extends StoredParts['snapshot']>(
  storage: Storage,
  name: DocumentName,
  origin: Origin,
  upTo: number,
  readSnapshot: SnapshotReader<Snapshot>,
): Promise<ReadParts<Snapshot>> {
  // As of now: an open document's may be another one after the first await.
  const { epoch, snapshot } = origin
  const pages: UpdatePage[] = []
  for await (const page of readLog(storage, name, origin, snapshot?.seq ?? 0, upTo))
    pages.push(packPage(page.map(({ update }) => update)))
  return {
    snapshot: snapshot === null ? null : await readSnapshot(storage, name, epoch, snapshot),
    index: snapshot?.index ?? null,
    updates: new PackedUpdates(pages),
  }
}

/** An open document, which learns of it when its snapshot is gone. */
interface SnapshotHolder extends Origin {
  readonly name: DocumentName
  handleSnapshotGone(seq: number): void
}

/** The same for a document that is open. */
export async function readOpen<Snapshot extends StoredParts['snapshot']>(
  storage: Storage,
  document: SnapshotHolder,
  upTo: number,
  readSnapshot: SnapshotReader<Snapshot>,
): Promise<ReadParts<Snapshot>> {
  const { snapshot } = document
  try {
    return await readParts(storage, document.name, document, upTo, readSnapshot)
  } catch (error) {
    const isGone = error instanceof DocumentError && error.code === 'snapshot-replaced'
    if (isGone) document.handleSnapshotGone(snapshot?.seq ?? 0)
    throw error
  }
}

/** Does something with the head and the bytes of a stored document, on a worker thread; once more when its snapshot goes away under it. */
export async function withParts<Result>(
  storage: Storage,
  name: DocumentName,
  use: (
    head: DocumentHead,
    read: (upTo: number) => Promise<ReadParts<Uint8Array | PackedSnapshot>>,
  ) => Promise<Result>,
): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    const head = await storage.head(name)
    try {
      return await use(head, (upTo) => readParts(storage, name, head, upTo, packedSnapshot))
    } catch (error) {
      if (!(await isGone(storage, name, head, error)) || attempt === READ_ATTEMPTS) throw error
    }
  }
}

/**
 * Whether something else has taken the place of what was being read. What is missing although nothing has is damaged: then
 * this rejects.
 */
async function isGone(
  storage: Storage,
  name: DocumentName,
  head: DocumentHead,
  error: unknown,
): Promise<boolean> {
  if (!(error instanceof DocumentError) || error.code !== 'snapshot-replaced') return false
  const now = await storage.head(name)
  if (now.epoch !== head.epoch || now.snapshot?.seq !== head.snapshot?.seq) return true
  throw new StorageError('record-damaged', `document ${JSON.stringify(name)}: ${error.message}`, {
    cause: error,
  })
}

/** The index of a stored document, and the log entries after its snapshot. No CRDT is decoded for it. */
export async function loadIndex(
  storage: Storage,
  name: DocumentName,
  head: DocumentHead,
): Promise<{ index: DocumentIndex; tail: LogEntry[] }> {
  try {
    return await readIndex(storage, name, head)
  } catch (error) {
    if (!(await isGone(storage, name, head, error))) throw error
    throw new StorageError(
      'storage-unavailable',
      `${JSON.stringify(name)} changed while it was read`,
    )
  }
}

async function readIndex(
  storage: Storage,
  name: DocumentName,
  head: DocumentHead,
): Promise<{ index: DocumentIndex; tail: LogEntry[] }> {
  const index =
    head.snapshot === null ? new DocumentIndex() : DocumentIndex.decode(head.snapshot.index)
  const tail: LogEntry[] = []
  const folded = head.snapshot?.seq ?? 0
  if (folded === head.seq) return { index, tail }
  for await (const page of readLog(storage, name, head, folded, head.seq)) {
    for (const entry of page) {
      const scan = scanUpdate(entry.update, index, NO_SCAN_LIMITS)
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
