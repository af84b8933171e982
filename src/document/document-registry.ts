import type { DocumentHandle, DocumentName, Epoch } from '../../protocol/index.ts'
import type { CancelTimer, Clock } from '../clock.ts'
import { asDocumentError, DocumentError } from '../errors.ts'
import type { Compaction } from './compaction.ts'
import type { OpenDocument } from './open-document.ts'

/** Keeps a document in memory until it is released. Releasing twice does nothing. */
export interface Lease {
  readonly document: OpenDocument
  release(): void
}

export interface RegistryOptions {
  readonly clock: Clock
  readonly idleUnloadMs: number
  readonly load: (name: DocumentName, handle: DocumentHandle) => Promise<OpenDocument>
  readonly deleteStored: (name: DocumentName) => Promise<Epoch>
  readonly compaction: () => Compaction
  /** A document was found damaged; told once, until it could be read again. */
  readonly handleDamaged: (name: DocumentName, error: unknown) => void
}

interface Entry {
  readonly loading: Promise<OpenDocument>
  /** Set when loading succeeded. */
  document: OpenDocument | null
  leases: number
  cancelUnload: CancelTimer | null
  /** Gives back one lease. */
  readonly release: () => void
}

class HeldLease implements Lease {
  readonly document: OpenDocument
  #release: (() => void) | null

  constructor(document: OpenDocument, release: () => void) {
    this.document = document
    this.#release = release
  }

  release(): void {
    const release = this.#release
    this.#release = null
    release?.()
  }
}

/** A log longer than this is folded when its document is left, so that the next cold start reads few records… */
const FOLD_ON_UNLOAD_ENTRIES = 64
/** …or than one entry for so many bytes of snapshot: to read some entries more is cheaper than to rewrite a large document. */
const FOLD_ON_UNLOAD_SNAPSHOT_BYTES = 8192

/**
 * Which documents are open: one load and one instance per name, however many ask at once. Unloading is one
 * synchronous step, since everything acknowledged is on disk; whoever asks before it keeps the instance, whoever
 * asks after it loads a new one.
 */
export class DocumentRegistry {
  readonly #options: RegistryOptions
  readonly #entries = new Map<DocumentName, Entry>()
  readonly #deleting = new Map<DocumentName, Promise<Epoch>>()
  /** Names refused as damaged: each is somebody's stored document, so there are no more than were ever written. */
  readonly #damaged = new Set<DocumentName>()
  #nextHandle: DocumentHandle = 1
  #isClosed = false

  constructor(options: RegistryOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#entries.size
  }

  get damagedCount(): number {
    return this.#damaged.size
  }

  /** The storage has found these damaged, and told of it. */
  noteDamaged(names: readonly DocumentName[]): void {
    for (const name of names) this.#damaged.add(name)
  }

  documents(): OpenDocument[] {
    const documents: OpenDocument[] = []
    for (const { document } of this.#entries.values())
      if (document !== null) documents.push(document)
    return documents
  }

  /** A document that is open already; null: it has to be acquired. */
  tryAcquire(name: DocumentName): Lease | null {
    const entry = this.#entries.get(name)
    if (entry === undefined || entry.document === null || entry.document.isEnded) return null
    if (this.#isClosed || this.#deleting.has(name)) return null
    entry.leases++
    entry.cancelUnload?.()
    entry.cancelUnload = null
    return new HeldLease(entry.document, entry.release)
  }

  /** Opens a document. Rejects with `storage-unavailable` or `document-damaged`, never with an empty one. [T11] */
  async acquire(name: DocumentName): Promise<Lease> {
    for (let deleting; (deleting = this.#deleting.get(name)) !== undefined;)
      await deleting.catch(() => undefined)
    if (this.#isClosed) throw new DocumentError('server-closing', 'the server is closing')
    const known = this.#entries.get(name)
    const entry = known === undefined || known.document?.isEnded ? this.#load(name) : known
    entry.leases++
    entry.cancelUnload?.()
    entry.cancelUnload = null
    try {
      return new HeldLease(await entry.loading, entry.release)
    } catch (error) {
      entry.leases--
      throw loadError(name, error)
    }
  }

  /** Ends a document for everybody who has it open and removes it from the storage. */
  delete(name: DocumentName): Promise<Epoch> {
    const running = this.#deleting.get(name)
    if (running !== undefined) return running
    const deleting = this.#delete(name).finally(() => this.#deleting.delete(name))
    this.#deleting.set(name, deleting)
    return deleting
  }

  /** Nothing is opened any more, and what is open accepts nothing. */
  close(): void {
    this.#isClosed = true
    for (const entry of this.#entries.values()) {
      entry.cancelUnload?.()
      entry.document?.close()
    }
    this.#entries.clear()
  }

  #load(name: DocumentName): Entry {
    const entry: Entry = {
      // The entry is in the map before anything is awaited: whoever asks meanwhile shares this load. [T1]
      loading: this.#options.load(name, this.#nextHandle++),
      document: null,
      leases: 0,
      cancelUnload: null,
      release: () => this.#release(name, entry),
    }
    this.#entries.set(name, entry)
    entry.loading.then(
      (document) => {
        entry.document = document
        if (this.#isClosed) document.close()
        this.#damaged.delete(name)
      },
      (error: unknown) => {
        this.#reportDamage(name, error)
        if (this.#entries.get(name) === entry) this.#entries.delete(name)
      },
    )
    return entry
  }

  #release(name: DocumentName, entry: Entry): void {
    entry.leases--
    if (entry.leases === 0) this.#scheduleUnload(name, entry)
  }

  #scheduleUnload(name: DocumentName, entry: Entry): void {
    if (this.#entries.get(name) !== entry) {
      entry.document?.close()
      return
    }
    entry.cancelUnload?.()
    entry.cancelUnload = this.#options.clock.setTimer(this.#idleMs(entry), () => {
      entry.cancelUnload = null
      void this.#unload(name, entry)
    })
  }

  /** There is no end of names that nobody has written under; who joins and leaves one after the other must not fill the memory. */
  #idleMs({ document }: Entry): number {
    const isUnwritten = document !== null && document.head === 0 && document.isSettled
    return isUnwritten ? 0 : this.#options.idleUnloadMs
  }

  async #unload(name: DocumentName, entry: Entry): Promise<void> {
    const { document } = entry
    if (document === null || entry.leases > 0) return
    if (!document.isSettled) {
      this.#scheduleUnload(name, entry)
      return
    }
    const worthFolding = Math.max(
      FOLD_ON_UNLOAD_ENTRIES,
      (document.snapshot?.bytes ?? 0) / FOLD_ON_UNLOAD_SNAPSHOT_BYTES,
    )
    const compaction = this.#options.compaction()
    if (document.tailEntries > worthFolding) await compaction.run(document)
    // Nobody pulls the snapshot before the newest any more. One that was not folded is as the last unload has left it.
    if (compaction.hasFolded(document)) await compaction.condense(document)
    // Somebody may have come meanwhile, or an update be on its way still; then the instance stays.
    if (!document.isSettled) this.#scheduleUnload(name, entry)
    if (entry.leases > 0 || this.#entries.get(name) !== entry || entry.cancelUnload !== null) return
    this.#entries.delete(name)
    document.close()
  }

  #reportDamage(name: DocumentName, error: unknown): void {
    if (loadError(name, error).code !== 'document-damaged' || this.#damaged.has(name)) return
    this.#damaged.add(name)
    this.#options.handleDamaged(name, error)
  }

  async #delete(name: DocumentName): Promise<Epoch> {
    const entry = this.#entries.get(name)
    const document = (await entry?.loading.catch(() => null)) ?? null
    // First the storage: what fails must not be announced. What is written meanwhile belongs to the old epoch.
    const epoch = await this.#options.deleteStored(name).catch((error: unknown) => {
      // It may be gone all the same.
      document?.markStale()
      throw error
    })
    this.#damaged.delete(name)
    document?.end(
      new DocumentError('document-deleted', `document ${JSON.stringify(name)} was deleted`),
    )
    return epoch
  }
}

function loadError(name: DocumentName, error: unknown): DocumentError {
  return (
    asDocumentError(error) ??
    new DocumentError(
      'storage-unavailable',
      `document ${JSON.stringify(name)} cannot be read at the moment`,
      { cause: error },
    )
  )
}
