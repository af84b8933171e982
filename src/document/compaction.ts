import type { DocumentWorker } from '../log/document-worker.ts'
import type { Storage } from '../storage/storage.ts'
import type { Logger } from '../telemetry/logger.ts'
import { DocumentIndex } from '../update/document-index.ts'
import type { OpenDocument } from './open-document.ts'
import { withParts } from './stored-document.ts'

export interface CompactionOptions {
  readonly storage: Storage
  readonly worker: DocumentWorker
  readonly logger: Logger
  readonly afterBytes: number
  readonly afterEntries: number
  readonly handleFailed: () => void
}

/**
 * Folding rewrites the whole document, so a larger one waits for more entries: as many times more as it has these bytes. A keystroke
 * then has some 24 bytes of snapshot to bear where folding begins after 2,000 entries, about what it takes itself on the disk…
 */
const SNAPSHOT_BYTES = 48 * 1024
/** …but at most eight times as many: 16,000 entries are read again within some 50 ms… */
const MAX_FACTOR = 8
/** …unless it is so large that folding takes seconds: then as many times more as it has these bytes. */
const LARGE_SNAPSHOT_BYTES = 2 * 1024 * 1024

/**
 * Folds logs into snapshots while the documents stay open and are edited. The thresholds make the work
 * logarithmic: a snapshot is rewritten only after the log has grown by half of it.
 */
export class Compaction {
  readonly #options: CompactionOptions
  readonly #running = new Map<OpenDocument, Promise<void>>()
  /** After a failure: not again before the log has this many entries. */
  readonly #retryAtEntries = new WeakMap<OpenDocument, number>()
  readonly #folded = new WeakSet<OpenDocument>()
  #isClosing = false

  constructor(options: CompactionOptions) {
    this.#options = options
  }

  /** Starts folding a document when its log is long enough. */
  consider(document: OpenDocument): void {
    if (!this.#running.has(document) && this.isDue(document)) void this.run(document)
  }

  isDue(document: OpenDocument): boolean {
    const { afterBytes, afterEntries } = this.#options
    if (document.tailEntries < (this.#retryAtEntries.get(document) ?? 0)) return false
    const snapshotBytes = document.snapshot?.bytes ?? 0
    const factor = Math.max(
      1,
      Math.min(MAX_FACTOR, snapshotBytes / SNAPSHOT_BYTES),
      snapshotBytes / LARGE_SNAPSHOT_BYTES,
    )
    return (
      document.tailBytes > Math.max(afterBytes, snapshotBytes / 2) ||
      document.tailEntries > afterEntries * factor
    )
  }

  /** Folds what is durable now. Never rejects: a failure is logged, with what it has left. */
  async run(document: OpenDocument): Promise<void> {
    // A fold under way began before what is durable now.
    for (let running; (running = this.#running.get(document)) !== undefined;) await running
    if (this.#isClosing) return
    const before = document.snapshot?.seq
    const run = this.#fold(document)
      .catch(async (error: unknown) => {
        if (await this.#isGone(document)) return
        if (this.#isClosing) {
          // The server could not wait any longer, and took the storage or the threads away: no fault, and nothing is lost.
          this.#options.logger.warn('a fold ended with the server', {
            document: document.name,
            error,
          })
          return
        }
        this.#retryAtEntries.set(document, document.tailEntries * 2)
        this.#options.handleFailed()
        const { message, cause } =
          error instanceof FoldFailure ? error : new FoldFailure(NOT_STORED, error)
        this.#options.logger.error(message, { document: document.name, error: cause })
      })
      .finally(() => {
        this.#running.delete(document)
        // A burst may have ended while this was folded: nothing else would fold the rest.
        if (!this.#isClosing && document.snapshot?.seq !== before) this.consider(document)
      })
    this.#running.set(document, run)
    await run
  }

  /** Whether a log of this document was folded since it was opened. */
  hasFolded(document: OpenDocument): boolean {
    return this.#folded.has(document)
  }

  /** Has the storage keep less of a document that was left [ST18]. Never rejects: nothing is lost where it fails. */
  async condense({ name, epoch }: OpenDocument): Promise<void> {
    if (this.#isClosing) return
    try {
      await this.#options.storage.condense?.(name, epoch)
    } catch (error) {
      if (this.#isClosing) return
      this.#options.logger.warn('a document could not be condensed; it takes more of the disk', {
        document: name,
        error,
      })
    }
  }

  /** Begins nothing more, and waits for what is under way. */
  close(): Promise<void> {
    this.#isClosing = true
    return this.whenIdle()
  }

  async whenIdle(): Promise<void> {
    await Promise.all(this.#running.values())
  }

  /** It was deleted meanwhile: there is nothing left to fold, and nobody to tell. */
  async #isGone(document: OpenDocument): Promise<boolean> {
    if (document.isEnded) return true
    try {
      return (await this.#options.storage.head(document.name)).epoch !== document.epoch
    } catch {
      return false
    }
  }

  async #fold(document: OpenDocument): Promise<void> {
    const { storage, worker } = this.#options
    const { name, head: seq } = document
    const result = await withParts(storage, name, async (before, read) => {
      if (before.epoch !== document.epoch || seq <= (before.snapshot?.seq ?? 0)) return null
      const parts = await read(seq)
      // Counted before the worker takes the bytes.
      const foldedBytes = parts.updates.byteLength
      return { folded: await worker.fold(parts), foldedBytes }
    })
    if (result === null) return
    const { foldedBytes } = result
    const { hasFoundDeletes, ...folded } = result.folded
    let outcome = PERHAPS_STORED
    try {
      const isStored = await storage.replacePrefix(name, document.epoch, { seq, ...folded })
      if (!isStored) return
      outcome = STORED
      const { snapshot } = await storage.head(name)
      if (snapshot?.seq !== seq) return
      this.#folded.add(document)
      // Decoding the index of a large document takes this thread up to 37 ms, mostly for nothing.
      const found = hasFoundDeletes ? DocumentIndex.decode(folded.index) : new DocumentIndex()
      document.handleCompacted(snapshot, found, foldedBytes)
    } catch (error) {
      // The snapshot may be stored all the same. A document that did not know of it would send joiners to entries
      // that the next fold removes.
      document.markStale()
      throw new FoldFailure(outcome, error)
    }
  }
}

const NOT_STORED = 'compaction failed; the log stays as it is'
const PERHAPS_STORED =
  'storing a snapshot failed; whether it is stored is seen when the document is read again, which happens soon'
const STORED =
  'a snapshot is stored, but the open document could not take it over; it is read again soon'

/** A fold that failed, and what is true of the log after it. */
class FoldFailure extends Error {
  constructor(message: string, cause: unknown) {
    super(message, { cause })
  }
}
