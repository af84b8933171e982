import { mergeAsTree, type Epoch } from '../../protocol/index.ts'
import { Backoff } from '../backoff.ts'
import type { CancelTimer, Clock } from '../clock.ts'
import { PendingBuffer, type PendingPiece } from '../pending-buffer.ts'
import {
  COPY_IS_GONE,
  writeBatch,
  type Batch,
  type History,
  type StoredRows,
} from './document-rows.ts'
import type { IndexedDatabase } from './indexed-database.ts'

/** As y-indexeddb: from this many rows on, reading them one by one is what makes opening slow. */
const COMPACT_FROM_ROWS = 500
/** Below it nobody notices; above it rows are folded when they are longer than the document itself. */
const COMPACT_FROM_BYTES = 64 * 1024
/** Confirmations come after every message while somebody types; what is late here is only asked again. */
const CONFIRM_PAUSE_MS = 250
/** What others wrote is kept in memory up to here while another page stores it. */
const MAX_UNSTORED_BYTES = 256 * 1024
/** Another page that has not stored its change by then may be frozen, or gone: we do. */
const ELSEWHERE_PATIENCE_MS = 2000
/** A disk that is full is asked about once in this time. */
const MAX_RETRY_PAUSE_MS = 30_000

interface RowWriterOptions {
  readonly database: IndexedDatabase
  readonly clock: Clock
  /** The whole document as one update. */
  readonly encodeDocument: () => Uint8Array
  /** Comes before the first unconfirmed row of this page. */
  readonly beforePending: () => Promise<void>
  readonly handleStored: () => void
  readonly handleError: (cause: unknown) => void
}

/**
 * Brings the changes of a document to its database. While one transaction runs, what comes
 * meanwhile is collected for the next: so fast typing makes few rows.
 */
export class RowWriter {
  readonly #options: RowWriterOptions
  readonly #backoff: Backoff
  /** Waits to be stored: what the server may lack, and what it has. */
  readonly #pending = new PendingBuffer()
  readonly #confirmed = new PendingBuffer()
  #confirmedBytes = 0
  /** The server may lack it, and another page stores it. */
  readonly #elsewhere = new PendingBuffer()
  /** Another page has stored unconfirmed changes that are in our document. */
  #relies = false
  /** Stored rows that this page knows: unconfirmed ones, those confirmed since, and the rest. */
  #pendingRows = new Set<number>()
  #nowConfirmed: number[] = []
  #plainRows: number[] = []
  #plainBytes = 0
  #largestBytes = 0
  #lastKnownRow = 0
  #generation = 0
  #hasLabel = false
  #epoch: Epoch | null = null
  #inFlight: { readonly piece: PendingPiece | null; isConfirmed: boolean } | null = null
  #state: 'loading' | 'ready' | 'paused' | 'over' = 'loading'
  #isKeeper = false
  #mayCompact = true
  /** The label in the database is out of date. */
  #isLabelDue = false
  #isConfirmDue = false
  /** Another page deleted the database: nothing is stored until there is a change to keep. */
  #isDeleted = false
  /** Changes that no server has were deleted with it. */
  #hasLostChanges = false
  #isWriting = false
  #idle: Promise<void> = Promise.resolve()
  #cancelRetry: CancelTimer | null = null
  #cancelConfirm: CancelTimer | null = null
  #cancelElsewhere: CancelTimer | null = null

  constructor(options: RowWriterOptions) {
    this.#options = options
    this.#backoff = new Backoff(options.clock, MAX_RETRY_PAUSE_MS)
  }

  /** Every change that the server may lack is committed. */
  get isStored(): boolean {
    return this.isOwnStored && this.#elsewhere.isEmpty
  }

  /** The same, of changes that no other page stores. */
  get isOwnStored(): boolean {
    return (
      this.#state !== 'over' &&
      this.#pending.isEmpty &&
      this.#inFlight?.piece == null &&
      !this.#hasLostChanges
    )
  }

  /** The rows are in the document. From here on it writes. */
  begin({ rows, pending, label, hasLabel }: StoredRows, mayCompact: boolean): void {
    this.#hasLabel = hasLabel
    this.#generation = label.generation
    this.#epoch ??= label.epoch
    this.#isLabelDue = this.#epoch !== label.epoch
    this.#mayCompact = mayCompact
    for (const { key, update } of rows) {
      this.#lastKnownRow = Math.max(this.#lastKnownRow, key)
      if (pending.has(key)) this.#pendingRows.add(key)
      else this.#addPlain(key, update.length)
    }
    // Their rows were replaced by somebody who does not know of us: only the entries are left.
    for (const key of pending.keys()) this.#pendingRows.add(key)
    if (this.#state === 'loading') this.#state = 'ready'
    this.#schedule()
  }

  /** The unconfirmed rows that somebody here answers for. */
  get knownPending(): ReadonlySet<number> {
    return new Set([...this.#pendingRows, ...this.#nowConfirmed])
  }

  /** Whose rows are written here. */
  get history(): History {
    return { generation: this.#generation, epoch: this.#epoch }
  }

  /** Whether rows with this label belong to what is written here. */
  isOf({ generation, epoch }: StoredRows['label']): boolean {
    return generation === this.#generation && epoch === this.#epoch
  }

  /** Unconfirmed rows of a page that is gone, which are in the document by now. */
  adopt(rows: StoredRows['rows']): void {
    for (const { key } of rows) {
      this.#pendingRows.add(key)
      this.#lastKnownRow = Math.max(this.#lastKnownRow, key)
    }
  }

  add(update: Uint8Array, isConfirmed: boolean): void {
    if (this.#state === 'over') return
    if (isConfirmed) this.#addConfirmed(update)
    else this.#pending.add({ update, changes: 1 })
    this.#schedule()
  }

  /** Another page that has this database stores the change. Kept until it has, or takes too long. */
  addElsewhere(update: Uint8Array): void {
    if (this.#state === 'over') return
    this.#elsewhere.add({ update, changes: 1 })
    this.#cancelElsewhere ??= this.#options.clock.setTimer(ELSEWHERE_PATIENCE_MS, () => {
      this.storeElsewhere()
    })
  }

  /** A page that was to store its changes is gone: it may not have. */
  storeElsewhere(): void {
    if (this.#elsewhere.isEmpty) return
    this.#takeElsewhere()
    this.#schedule()
  }

  /** Other pages have stored what they were to store. */
  releaseElsewhere(): void {
    if (this.#elsewhere.isEmpty) return
    this.#elsewhere.clear()
    this.#relies = true
    this.#cancelElsewhere?.()
    this.#cancelElsewhere = null
    this.#options.handleStored()
  }

  stampEpoch(epoch: Epoch): void {
    if (this.#epoch === epoch) return
    this.#epoch = epoch
    this.#isLabelDue = true
    this.#schedule()
  }

  /** The server has everything that was added so far. */
  confirm(isLabelDue: boolean): void {
    this.#nowConfirmed.push(...this.#pendingRows)
    this.#pendingRows.clear()
    const waiting = this.#pending.take(Infinity)
    if (waiting !== null) this.#addConfirmed(waiting.update)
    const elsewhere = this.#elsewhere.take(Infinity)
    if (elsewhere !== null) this.#addConfirmed(elsewhere.update)
    this.#cancelElsewhere?.()
    this.#cancelElsewhere = null
    if (this.#inFlight !== null) this.#inFlight.isConfirmed = true
    this.#hasLostChanges = false
    this.#relies = false
    this.#isLabelDue ||= isLabelDue
    if (this.#nowConfirmed.length > 0 || this.#inFlight !== null) this.#scheduleConfirm()
    this.#schedule()
  }

  /** Whether this page is the one that stores what comes from the server. */
  setKeeper(isKeeper: boolean): void {
    this.#isKeeper = isKeeper
    this.#schedule()
  }

  handleDeleted(): void {
    this.#isDeleted = true
    this.#hasLostChanges = !this.#pending.isEmpty || this.#pendingRows.size > 0 || this.#relies
    this.#pendingRows.clear()
    this.#nowConfirmed = []
    this.#forgetPlain()
    this.#lastKnownRow = 0
    this.#generation = 0
    this.#hasLabel = false
    this.#options.handleStored()
  }

  /** What is stored may be gone, or not: a write tells. */
  handleClosed(): void {
    this.#isLabelDue ||= this.#hasLabel
    this.#schedule()
  }

  /** Writes what waits, once; then never again. */
  async finish(): Promise<void> {
    this.#cancelRetry?.()
    this.#cancelConfirm?.()
    this.#takeElsewhere()
    this.#isConfirmDue = true
    if (this.#state === 'paused') this.#state = 'ready'
    this.#schedule()
    await this.#idle
    this.stop()
  }

  stop(): void {
    this.#cancelRetry?.()
    this.#cancelConfirm?.()
    this.#cancelElsewhere?.()
    this.#cancelElsewhere = null
    this.#state = 'over'
  }

  get #hasWork(): boolean {
    if (this.#state !== 'ready') return false
    if (!this.#pending.isEmpty) return true
    if (this.#isDeleted) return false
    return (
      this.#shouldStoreConfirmed ||
      (this.#isConfirmDue && this.#nowConfirmed.length > 0) ||
      this.#isLabelDue ||
      this.#shouldCompact
    )
  }

  get #shouldStoreConfirmed(): boolean {
    if (this.#confirmed.isEmpty) return false
    return this.#isKeeper || this.#confirmedBytes > MAX_UNSTORED_BYTES
  }

  get #shouldCompact(): boolean {
    if (!this.#isKeeper || !this.#mayCompact) return false
    const tailBytes = this.#plainBytes - this.#largestBytes
    return (
      this.#plainRows.length >= COMPACT_FROM_ROWS ||
      tailBytes > Math.max(COMPACT_FROM_BYTES, this.#largestBytes)
    )
  }

  #schedule(): void {
    if (this.#isWriting || !this.#hasWork) return
    this.#isWriting = true
    this.#idle = this.#writeAll()
  }

  async #writeAll(): Promise<void> {
    // What else is changed in this turn belongs to the same batch.
    await Promise.resolve()
    while (this.#hasWork) await this.#writeOnce()
    this.#isWriting = false
  }

  async #writeOnce(): Promise<void> {
    const batch = this.#takeBatch()
    const flight = { piece: batch.pending, isConfirmed: false }
    this.#inFlight = flight
    const wasDeleted = this.#isDeleted
    try {
      if (batch.pending !== null) await this.#options.beforePending()
      // A claim that a change is on this device is only made for changes: they are flushed to the disk.
      const durability = batch.pending === null ? 'relaxed' : 'strict'
      const written = await this.#options.database.write(durability, writeBatch(batch))
      this.#inFlight = null
      this.#backoff.reset()
      if (this.#isDeleted && !wasDeleted) {
        this.#restore(batch, flight.isConfirmed)
        return
      }
      this.#isDeleted = false
      this.#hasLostChanges = false
      this.#hasLabel = true
      this.#handleWritten(batch, written, flight.isConfirmed)
    } catch (cause) {
      this.#inFlight = null
      this.#restore(batch, flight.isConfirmed)
      if (cause === COPY_IS_GONE) this.handleDeleted()
      else this.#handleFailure(cause)
    }
    this.#options.handleStored()
  }

  #takeBatch(): Batch {
    const isCompaction = this.#shouldCompact
    // A change of ours may build on those of other pages.
    if (!this.#pending.isEmpty) this.#takeElsewhere()
    let pending = this.#pending.take(Infinity)
    let confirmed: Uint8Array | null = null
    // A change of ours builds on what came from the server.
    if (pending !== null || this.#shouldStoreConfirmed) {
      confirmed = this.#confirmed.take(Infinity)?.update ?? null
      this.#confirmedBytes = 0
    }
    if (this.#isDeleted && pending !== null) {
      // What the change builds on is not there any more.
      pending = { ...pending, update: this.#options.encodeDocument() }
      confirmed = null
    } else if (isCompaction) confirmed = this.#options.encodeDocument()
    const batch: Batch = {
      expectsLabel: this.#hasLabel,
      generation: this.#generation,
      epoch: this.#epoch,
      confirmed,
      pending,
      nowConfirmed: this.#nowConfirmed,
      replaced: isCompaction ? this.#plainRows : [],
      lastKnownRow: this.#lastKnownRow,
    }
    this.#nowConfirmed = []
    this.#isLabelDue = false
    this.#isConfirmDue = false
    if (isCompaction) this.#forgetPlain()
    return batch
  }

  #handleWritten(
    batch: Batch,
    keys: { confirmed: number | null; pending: number | null },
    isConfirmed: boolean,
  ): void {
    for (const key of batch.nowConfirmed) this.#addPlain(key, 0)
    if (batch.confirmed !== null && keys.confirmed !== null)
      this.#addPlain(keys.confirmed, batch.confirmed.length)
    if (batch.pending !== null && keys.pending !== null) {
      this.#lastKnownRow = Math.max(this.#lastKnownRow, keys.pending)
      if (isConfirmed) this.#nowConfirmed.push(keys.pending)
      else this.#pendingRows.add(keys.pending)
    }
    if (isConfirmed) this.#scheduleConfirm()
  }

  /** What was not written waits again, in front of what came since. */
  #restore(batch: Batch, isConfirmed: boolean): void {
    if (batch.pending !== null)
      (isConfirmed ? this.#confirmed : this.#pending).putBack(batch.pending)
    if (batch.confirmed !== null) {
      this.#confirmed.putBack({ update: batch.confirmed, changes: 1 })
      this.#confirmedBytes += batch.confirmed.length
    }
    this.#nowConfirmed.unshift(...batch.nowConfirmed)
    // Their sizes are not known any more; the next load counts them anew.
    for (const key of batch.replaced) this.#addPlain(key, 0)
    this.#isLabelDue = true
  }

  #handleFailure(cause: unknown): void {
    if (this.#state === 'over') return
    if ((cause as { code?: unknown }).code === 'document-reset') {
      this.stop()
    } else {
      this.#state = 'paused'
      this.#cancelRetry = this.#options.clock.setTimer(this.#backoff.nextPauseMs(), () => {
        this.#state = 'ready'
        this.#schedule()
      })
    }
    this.#options.handleError(cause)
  }

  #scheduleConfirm(): void {
    if (this.#state === 'over') return
    this.#cancelConfirm?.()
    this.#cancelConfirm = this.#options.clock.setTimer(CONFIRM_PAUSE_MS, () => {
      this.#isConfirmDue = true
      this.#schedule()
    })
  }

  /** We store it after all. */
  #takeElsewhere(): void {
    this.#cancelElsewhere?.()
    this.#cancelElsewhere = null
    const elsewhere = this.#elsewhere.take(Infinity)
    if (elsewhere !== null) this.#pending.add(elsewhere)
  }

  #addConfirmed(update: Uint8Array): void {
    this.#confirmed.add({ update, changes: 1 })
    this.#confirmedBytes += update.length
  }

  #addPlain(key: number, bytes: number): void {
    this.#plainRows.push(key)
    this.#plainBytes += bytes
    this.#largestBytes = Math.max(this.#largestBytes, bytes)
    this.#lastKnownRow = Math.max(this.#lastKnownRow, key)
  }

  #forgetPlain(): void {
    this.#plainRows = []
    this.#plainBytes = 0
    this.#largestBytes = 0
  }
}

/** Rows that the server may lack, as one change set. */
export function pendingOf({ rows, pending }: StoredRows): PendingPiece | null {
  const unconfirmed = rows.filter(({ key }) => pending.has(key))
  if (unconfirmed.length === 0) return null
  return {
    update: mergeAsTree(unconfirmed.map(({ update }) => update)),
    changes: unconfirmed.reduce((sum, { key }) => sum + (pending.get(key) ?? 0), 0),
  }
}
