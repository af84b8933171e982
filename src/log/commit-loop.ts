import type { Clock } from '../clock.ts'
import type { Append, AppendOutcome, NewEntry, Storage } from '../storage/storage.ts'
import type { DocumentName, Epoch } from '../../protocol/index.ts'

/** One document's side of the commit: told of the fate of its entries, in the order it gave them. */
export interface CommitParty<Entry extends NewEntry> {
  readonly name: DocumentName
  readonly epoch: Epoch
  /**
   * From when on anybody makes use of its entries, in the clock's milliseconds; in the past: at once. A write that ends before it gains nothing, and
   * costs what the next one costs.
   */
  readonly neededAt: number
  /** The entries are durable, with sequence numbers from `firstSeq` on. */
  handleCommitted(entries: readonly Entry[], firstSeq: number): void
  /**
   * The entries are not in the log, as far as anybody may count on it, and neither are those that
   * were waiting behind them (they may depend on the lost ones).
   */
  handleCommitFailed(entries: readonly Entry[], cause: CommitFailure): void
}

export type CommitFailure =
  | { readonly kind: 'storage'; readonly error: unknown }
  | { readonly kind: 'document-reset' }
  | { readonly kind: 'record-damaged' }

/** Hears how the commits go: for metrics and readiness. */
export interface CommitObserver {
  handleBatchCommitted(entries: number, bytes: number, durationMs: number): void
  handleBatchFailed(error: unknown): void
  /** A document threw when it was told of the fate of its entries: a defect, and nobody else's concern. */
  handlePartyFailed(name: DocumentName, error: unknown): void
}

/** What an entry takes in memory beside its update: its scan, its promise, its place in a queue. */
const ENTRY_OVERHEAD_BYTES = 512

/** So much waits for no interval: more of it would make the batches slower, not fewer. */
const LARGE_BATCH_BYTES = 256 * 1024

/**
 * The interval grows with the load up to so many times its length, where that many entries come in a millisecond: 2,000 people who type once a second
 * cost a quarter less with half as many batches, and wait some milliseconds longer.
 */
const MAX_STRETCH = 2

/** Nobody's entries wait longer than this before their write begins, whatever he says. */
const MAX_HOLD_MS = 60

/**
 * What is needed at a time of its own waits so long for more, also when that time has come: of many people several type within a millisecond,
 * and who is not in this batch is in the next one, which others wait for longer.
 */
const GATHER_MS = 1

/** The weight of the last write in what is taken for the duration of the next. */
const DURATION_WEIGHT = 1 / 8

export interface CommitOptions {
  /** Beyond so many bytes that wait or are being written, `isFull` says so. */
  readonly maxPendingBytes: number
  /**
   * Milliseconds from the beginning of one batch to that of the next, at least, while there is no lack of entries. A batch costs the event loop as
   * much as twenty entries in it. A log that was quiet for so long is written to at once, unless nobody needs it yet. 0: never waits.
   */
  readonly intervalMs: number
}

/**
 * Group commit: one writer, and everything that arrives while a batch is on its way to the disk goes with
 * the next one, whatever document it belongs to. So the cost of an fsync is shared by all who wait, and the
 * busier the server, the fewer the writes per update.
 */
export class CommitLoop<Entry extends NewEntry> {
  readonly #storage: Storage
  readonly #clock: Clock
  readonly #observer: CommitObserver
  readonly #options: CommitOptions
  #pendingBytes = 0
  #waiting = new Map<CommitParty<Entry>, Entry[]>()
  #isRunning = false
  #idleListeners: (() => void)[] = []

  #startedAt = -Infinity
  /** Since when the first of those that wait does. */
  #waitingSince = -Infinity
  /** From the beginning of one batch to that of the next, at the load of the last one. */
  #intervalMs: number
  /** How long writes take, smoothed. */
  #durationMs = 0
  #wait: Wait | null = null

  constructor(storage: Storage, clock: Clock, observer: CommitObserver, options: CommitOptions) {
    this.#storage = storage
    this.#clock = clock
    this.#observer = observer
    this.#options = options
    this.#intervalMs = options.intervalMs
  }

  get isIdle(): boolean {
    return !this.#isRunning && this.#waiting.size === 0
  }

  /** Memory of the entries that have not met their fate: their updates, and an overhead for each. */
  get pendingBytes(): number {
    return this.#pendingBytes
  }

  /** The disk does not keep up: who accepts updates must refuse them now. The loop itself refuses none. */
  get isFull(): boolean {
    return this.#pendingBytes >= this.#options.maxPendingBytes
  }

  enqueue(party: CommitParty<Entry>, entry: Entry): void {
    this.#pendingBytes += pendingBytesOf(entry)
    if (this.#waiting.size === 0) this.#waitingSince = this.#clock.now()
    const queue = this.#waiting.get(party)
    if (queue === undefined) this.#waiting.set(party, [entry])
    else queue.push(entry)
    if (this.#wait !== null) {
      const isLarge = this.#pendingBytes >= LARGE_BATCH_BYTES
      if (isLarge || party.neededAt < this.#wait.neededAt) this.#wait.end()
    }
    if (this.#isRunning) return
    this.#isRunning = true
    // The sockets of one event-loop turn deliver many updates; waiting for its end puts them into one batch.
    this.#clock.afterTurn(() => void this.#run())
  }

  /** Resolves when nothing is waiting and nothing is being written. */
  whenIdle(): Promise<void> {
    if (this.isIdle) return Promise.resolve()
    return new Promise((resolve) => this.#idleListeners.push(resolve))
  }

  async #run(): Promise<void> {
    while (this.#waiting.size > 0) {
      if (this.#msUntilStart(this.#neededAt()) > 0) await this.#whenDue()
      const batch = this.#waiting
      this.#waiting = new Map()
      await this.#commit(batch)
      // Crowded documents relay at the end of the turn, and then know when they need the next.
      if (this.#waiting.size > 0 && this.#neededAt() > -Infinity)
        await new Promise<void>((go) => this.#clock.afterTurn(go))
    }
    this.#isRunning = false
    const listeners = this.#idleListeners
    this.#idleListeners = []
    for (const listener of listeners) listener()
  }

  /** Waits until the interval is over and a write that begins ends when the first entry is needed. */
  async #whenDue(): Promise<void> {
    // Counted in what was waited for: the time of day may be set back.
    for (let leftMs = MAX_HOLD_MS; leftMs > 0;) {
      const neededAt = this.#neededAt()
      const waitMs = Math.min(leftMs, this.#msUntilStart(neededAt))
      if (waitMs <= 0) return
      const isTimeOver = await new Promise<boolean>((resolve) => {
        const end = (isOver: boolean): void => {
          this.#wait = null
          cancel()
          resolve(isOver)
        }
        const cancel = this.#clock.setTimer(waitMs, () => end(true))
        this.#wait = { neededAt, end: () => end(false) }
      })
      // When it is needed may be another time by now.
      if (isTimeOver) leftMs -= Math.max(1, waitMs)
    }
  }

  #msUntilStart(neededAt: number): number {
    const intervalMs = this.#intervalMs
    if (intervalMs === 0 || this.#pendingBytes >= LARGE_BATCH_BYTES) return 0
    const now = this.#clock.now()
    // The time of day was set back.
    if (now < this.#startedAt) return 0
    const untilInterval = this.#startedAt + intervalMs - now
    if (neededAt === -Infinity) return untilInterval
    const untilNeeded = neededAt - this.#durationMs - now
    return Math.max(untilInterval, untilNeeded, this.#waitingSince + GATHER_MS - now)
  }

  /** The first of what waits. */
  #neededAt(): number {
    let first = Infinity
    for (const party of this.#waiting.keys()) {
      first = Math.min(first, party.neededAt)
      if (first === -Infinity) break
    }
    return first
  }

  async #commit(batch: ReadonlyMap<CommitParty<Entry>, Entry[]>): Promise<void> {
    const startedAt = this.#clock.now()
    // What came in less than an interval says nothing of the load.
    const sinceMs = Math.max(this.#options.intervalMs, startedAt - this.#startedAt)
    this.#startedAt = startedAt
    const appends: Append[] = []
    let count = 0
    let bytes = 0
    for (const [party, entries] of batch) {
      appends.push({ name: party.name, epoch: party.epoch, entries })
      count += entries.length
      for (const entry of entries) bytes += entry.update.length
    }
    if (sinceMs > 0)
      this.#intervalMs =
        this.#options.intervalMs * Math.min(MAX_STRETCH, Math.max(1, count / sinceMs))
    let outcomes: readonly AppendOutcome[]
    try {
      outcomes = await this.#storage.append(appends)
    } catch (error) {
      this.#observe((observer) => observer.handleBatchFailed(error))
      for (const [party, entries] of batch) this.#fail(party, entries, { kind: 'storage', error })
      return
    }
    const durationMs = this.#clock.now() - startedAt
    this.#durationMs += (durationMs - this.#durationMs) * DURATION_WEIGHT
    this.#observe((observer) => observer.handleBatchCommitted(count, bytes, durationMs))
    let position = 0
    for (const [party, entries] of batch) {
      const outcome = outcomes[position++]
      if (outcome === undefined) {
        const error = new RangeError('the storage answered for too few documents')
        this.#fail(party, entries, { kind: 'storage', error })
      } else if (outcome.ok)
        this.#tell(party, entries, () => party.handleCommitted(entries, outcome.firstSeq))
      else this.#fail(party, entries, { kind: outcome.code })
    }
  }

  #fail(party: CommitParty<Entry>, entries: readonly Entry[], cause: CommitFailure): void {
    const behind = this.#waiting.get(party) ?? []
    this.#waiting.delete(party)
    const failed = [...entries, ...behind]
    this.#tell(party, failed, () => party.handleCommitFailed(failed, cause))
  }

  /** A party that throws keeps neither the others nor what comes after from the disk. */
  #tell(party: CommitParty<Entry>, entries: readonly Entry[], tell: () => void): void {
    for (const entry of entries) this.#pendingBytes -= pendingBytesOf(entry)
    try {
      tell()
    } catch (error) {
      this.#observe((observer) => observer.handlePartyFailed(party.name, error))
    }
  }

  /** Whoever watches must not stop what is watched; there is nobody left to tell of a watcher's fault. */
  #observe(tell: (observer: CommitObserver) => void): void {
    try {
      tell(this.#observer)
    } catch {
      // The entries have met their fate all the same.
    }
  }
}

/** A batch that waits for its time. */
interface Wait {
  readonly neededAt: number
  /** Looks again whether it is time. */
  readonly end: () => void
}

function pendingBytesOf(entry: NewEntry): number {
  return entry.update.length + ENTRY_OVERHEAD_BYTES
}
