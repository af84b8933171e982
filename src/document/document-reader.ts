import {
  CHUNK_BYTES,
  LARGE_MESSAGE_BYTES,
  mergeAsTree,
  type Cursor,
  type Epoch,
  type JoinAnswer,
  type PullAnswer,
  type SnapshotReference,
} from '../../protocol/index.ts'
import { systemClock, type Clock } from '../clock.ts'
import { DocumentError } from '../errors.ts'
import { diff, type StoredParts } from '../log/fold.ts'
import type { DocumentWorker } from '../log/document-worker.ts'
import type { LogEntry, Storage } from '../storage/storage.ts'
import { LargeEntries } from './large-entries.ts'
import type { OpenDocument } from './open-document.ts'
import type { SnapshotCache } from './snapshot-cache.ts'
import { parseStateVector } from '../update/state-vector.ts'
import { packedSnapshot, readOpen, withParts } from './stored-document.ts'

/** What brings a client up to `seq`. */
export type CatchUp = Pick<JoinAnswer, 'seq' | 'updates'> & {
  readonly snapshot?: SnapshotReference
}

/** Some of the log. */
export type Page = Pick<PullAnswer, 'seq' | 'updates' | 'entry'>

/** A stored document as somebody reads it who is no Yjs client. */
export interface Stored<Content> {
  readonly epoch: Epoch
  readonly seq: number
  readonly content: Content
}

/** A diff against a state vector decodes the whole document; up to this size it takes under 10 ms. */
const INLINE_DIFF_BYTES = CHUNK_BYTES

/**
 * Answers "what do I lack?" from bytes: from a cursor when it can, else by state vector, else with the
 * snapshot and the log after it as they are.
 */
export class DocumentReader {
  readonly #storage: Storage
  readonly #snapshots: SnapshotCache
  readonly #worker: DocumentWorker
  readonly #largeEntries: LargeEntries
  readonly #reading = new Map<string, Promise<readonly LogEntry[]>>()
  readonly #tails = new WeakMap<OpenDocument, Tail>()
  #differences: Promise<void> = Promise.resolve()

  constructor(
    storage: Storage,
    snapshots: SnapshotCache,
    worker: DocumentWorker,
    clock: Clock = systemClock,
  ) {
    this.#storage = storage
    this.#largeEntries = new LargeEntries(storage, clock)
    this.#snapshots = snapshots
    this.#worker = worker
  }

  /** What a joining client lacks, at once where that is in memory. Its epoch must be the document's; the caller has checked that. */
  catchUp(
    document: OpenDocument,
    cursor: Cursor | null,
    stateVector: ReadonlyMap<number, number>,
    encodedStateVector: Uint8Array,
  ): CatchUp | Promise<CatchUp> {
    // A cursor beyond the head means that the server lost its end (a restored backup): compare states.
    if (cursor !== null && cursor.seq <= document.head) {
      const tailStart = document.snapshot?.seq ?? 0
      if (cursor.seq >= Math.min(document.recent.since, tailStart))
        return this.page(document, cursor.seq, true)
    }
    if (stateVector.size === 0) return this.#whole(document)
    if (holdsEverything(document, stateVector))
      return { seq: document.head, updates: [document.index.deleteSetUpdate()] }
    return this.#difference(document, encodedStateVector)
  }

  /**
   * Log entries after `after`: one merged update of about one chunk at most. An entry that is too large for one message is only named where
   * the reader takes it in chunks; else it comes alone. At once where they are in memory.
   */
  page(document: OpenDocument, after: number, isChunked = false): Page | Promise<Page> {
    if (after > document.head)
      throw new DocumentError('cursor-too-old', 'the log ends before this sequence number')
    if (after === document.head) return { seq: after, updates: [] }
    const tailStart = document.snapshot?.seq ?? 0
    if (after >= document.recent.since) {
      const tail = after === tailStart ? this.#tail(document, after) : null
      // Empty where the first entry is a large one.
      if (tail !== null && tail.seq > after) return tail
      return pageOf(document.recent.after(after), isChunked)
    }
    const bytes = isChunked ? this.#largeEntries.bytesOf(document, after + 1) : null
    return bytes === null ? this.#readPage(document, after, isChunked) : largePage(after + 1, bytes)
  }

  async #readPage(document: OpenDocument, after: number, isChunked: boolean): Promise<Page> {
    const tailStart = document.snapshot?.seq ?? 0
    const entries = await this.#readEntries(document, after)
    if (entries[0]?.seq !== after + 1) {
      // What follows the newest snapshot is there: a newer one must have taken its place, and nobody has told the document.
      if (after >= tailStart) document.handleSnapshotGone(tailStart)
      throw new DocumentError('cursor-too-old', 'these log entries were folded into a snapshot')
    }
    // The storage may know entries that are durable but not yet counted here.
    const durable = entries.filter((entry) => entry.seq <= document.head)
    const page = pageOf(durable, isChunked)
    const [first] = durable
    if (page.entry !== undefined && first !== undefined)
      this.#largeEntries.keep(document, first.seq, first.update)
    return page
  }

  /** Everybody who was told of a large entry asks for it in one moment: it is read once. */
  async #readEntries({ name, epoch }: OpenDocument, after: number): Promise<readonly LogEntry[]> {
    // The name comes last: it is the only part that may contain a space.
    const key = `${epoch} ${after} ${name}`
    const running = this.#reading.get(key)
    if (running !== undefined) return running
    const reading = this.#storage.readEntries(name, epoch, after, CHUNK_BYTES)
    this.#reading.set(key, reading)
    try {
      return await reading
    } finally {
      this.#reading.delete(key)
    }
  }

  /** One piece of a log entry that is too large for one message. */
  async entryChunk(document: OpenDocument, seq: number, chunk: number): Promise<Uint8Array> {
    const bytes = await this.#largeEntries.chunk(document, seq, chunk)
    if (bytes === null)
      throw new DocumentError('cursor-too-old', `entry ${seq} has no chunk ${chunk} any more`)
    return bytes
  }

  async snapshotChunk(document: OpenDocument, seq: number, chunk: number): Promise<Uint8Array> {
    const bytes = await this.#snapshots.chunk(document.name, document.epoch, seq, chunk)
    if (bytes === null) {
      document.handleSnapshotGone(seq)
      throw new DocumentError('snapshot-replaced', `snapshot ${seq} has no chunk ${chunk} any more`)
    }
    return bytes
  }

  /** The whole document as one update, or as JSON in UTF-8: for readers that are no Yjs client. */
  async whole(name: OpenDocument['name']): Promise<Stored<Uint8Array> | null> {
    return this.#stored(name, (parts) => this.#worker.merge(parts))
  }

  async json(name: OpenDocument['name']): Promise<Stored<Uint8Array> | null> {
    return this.#stored(name, (parts) => this.#worker.toJson(parts))
  }

  #stored<Content>(
    name: OpenDocument['name'],
    contentOf: (parts: StoredParts) => Promise<Content>,
  ): Promise<Stored<Content> | null> {
    return withParts(this.#storage, name, async ({ epoch, seq }, read) =>
      seq === 0 ? null : { epoch, seq, content: await contentOf(await read(seq)) },
    )
  }

  /**
   * The log after the snapshot, which every newcomer gets: merged once, and for what is added meanwhile only that is merged.
   */
  #tail(document: OpenDocument, after: number): CatchUp {
    const { recent } = document
    let tail = this.#tails.get(document)
    if (tail?.after !== after || tail.seq > recent.head) tail = { after, seq: after, updates: [] }
    if (tail.seq < recent.head && tail.seq >= recent.since && sizeOf(tail.updates) < CHUNK_BYTES) {
      const page = pageOf(recent.after(tail.seq), true)
      const updates = [...tail.updates, ...page.updates]
      tail = {
        ...tail,
        seq: page.seq,
        // Few enough for one message; a parser takes ten attachments.
        updates: updates.length > 4 ? [mergeAsTree(updates)] : updates,
      }
      this.#tails.set(document, tail)
    }
    return { seq: tail.seq, updates: tail.updates }
  }

  #whole(document: OpenDocument): CatchUp | Promise<CatchUp> {
    const { snapshot } = document
    return snapshot === null ? this.page(document, 0, true) : this.#wholeOf(document, snapshot)
  }

  async #wholeOf(document: OpenDocument, snapshot: SnapshotReference): Promise<CatchUp> {
    if (snapshot.bytes > CHUNK_BYTES) {
      const tail = await this.page(document, snapshot.seq, true)
      return { ...tail, snapshot }
    }
    const parts: Uint8Array[] = []
    for (let chunk = 0, bytes = 0; bytes < snapshot.bytes; chunk++) {
      const part = await this.snapshotChunk(document, snapshot.seq, chunk)
      parts.push(part)
      bytes += part.length
    }
    const tail = await this.page(document, snapshot.seq, true)
    const update = parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts)
    return { seq: tail.seq, updates: [update, ...tail.updates] }
  }

  async #difference(document: OpenDocument, stateVector: Uint8Array): Promise<CatchUp> {
    // One at a time: each holds the whole document while it waits for the worker.
    const turn = this.#differences
    let done = (): void => undefined
    this.#differences = new Promise((resolve) => (done = resolve))
    try {
      await turn
      return await this.#differenceInTurn(document, stateVector)
    } finally {
      done()
    }
  }

  async #differenceInTurn(document: OpenDocument, stateVector: Uint8Array): Promise<CatchUp> {
    const seq = document.head
    const parts = await readOpen(this.#storage, document, seq, packedSnapshot)
    const { snapshot } = parts
    const size = (snapshot?.byteLength ?? 0) + parts.updates.byteLength
    const update =
      size <= INLINE_DIFF_BYTES
        ? diff(parts, stateVector)
        : await this.#worker.diff(parts, stateVector)
    // A large difference goes the way of a large document: in chunks that the client asks for.
    return update.length > CHUNK_BYTES ? this.#whole(document) : { seq, updates: [update] }
  }
}

/** Cached for one open document, whose epoch never changes: the log after its snapshot, as far as it fits into about one chunk. */
interface Tail {
  readonly after: number
  readonly seq: number
  readonly updates: readonly Uint8Array[]
}

function sizeOf(updates: readonly Uint8Array[]): number {
  return updates.reduce((sum, update) => sum + update.length, 0)
}

function pageOf(entries: readonly { seq: number; update: Uint8Array }[], isChunked: boolean): Page {
  const [first] = entries
  if (isChunked && first !== undefined && first.update.length > LARGE_MESSAGE_BYTES) {
    return largePage(first.seq, first.update.length)
  }
  const updates: Uint8Array[] = []
  let bytes = 0
  let seq = 0
  for (const entry of entries) {
    // At least one entry, however large: a cursor always moves.
    if (updates.length > 0 && bytes + entry.update.length > CHUNK_BYTES) break
    updates.push(entry.update)
    bytes += entry.update.length
    seq = entry.seq
  }
  return { seq, updates: [mergeAsTree(updates)] }
}

function largePage(seq: number, bytes: number): Page {
  return { seq: seq - 1, updates: [], entry: { seq, bytes, chunkBytes: CHUNK_BYTES } }
}

function holdsEverything(
  document: OpenDocument,
  stateVector: ReadonlyMap<number, number>,
): boolean {
  const server = parseStateVector(document.index.stateVector())
  if (server === null) return false
  for (const [client, clock] of server) if ((stateVector.get(client) ?? 0) < clock) return false
  return true
}
