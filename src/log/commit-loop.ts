import type { Clock } from '../clock.ts'
import type { Append, AppendOutcome, NewEntry, Storage } from '../storage/storage.ts'
import type { DocumentName, Epoch } from '../../protocol/index.ts'

/** One document's side of the commit: told of the fate of its entries, in the order it gave them. */
export interface CommitParty<Entry extends NewEntry> {
  readonly name: DocumentName
  readonly epoch: Epoch
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
  #waiting = new Map<CommitParty<Entry>, Entry[]>()
  #isRunning = false
  #idleListeners: (() => void)[] = []

  constructor(storage: Storage, clock: Clock, observer: CommitObserver) {
    this.#storage = storage
    this.#clock = clock
    this.#observer = observer
  }

  get isIdle(): boolean {
    return !this.#isRunning && this.#waiting.size === 0
  }

  enqueue(party: CommitParty<Entry>, entry: Entry): void {
    const queue = this.#waiting.get(party)
    if (queue === undefined) this.#waiting.set(party, [entry])
    else queue.push(entry)
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
      const batch = this.#waiting
      this.#waiting = new Map()
      await this.#commit(batch)
    }
    this.#isRunning = false
    const listeners = this.#idleListeners
    this.#idleListeners = []
    for (const listener of listeners) listener()
  }

  async #commit(batch: ReadonlyMap<CommitParty<Entry>, Entry[]>): Promise<void> {
    const startedAt = this.#clock.now()
    const appends: Append[] = []
    let count = 0
    let bytes = 0
    for (const [party, entries] of batch) {
      appends.push({ name: party.name, epoch: party.epoch, entries })
      count += entries.length
      for (const entry of entries) bytes += entry.update.length
    }
    let outcomes: readonly AppendOutcome[]
    try {
      outcomes = await this.#storage.append(appends)
    } catch (error) {
      this.#observer.handleBatchFailed(error)
      for (const [party, entries] of batch) this.#fail(party, entries, { kind: 'storage', error })
      return
    }
    this.#observer.handleBatchCommitted(count, bytes, this.#clock.now() - startedAt)
    let position = 0
    for (const [party, entries] of batch) {
      const outcome = outcomes[position++]
      if (outcome === undefined) throw new RangeError('the storage answered for too few documents')
      if (outcome.ok) party.handleCommitted(entries, outcome.firstSeq)
      else this.#fail(party, entries, { kind: outcome.code })
    }
  }

  #fail(party: CommitParty<Entry>, entries: Entry[], cause: CommitFailure): void {
    const behind = this.#waiting.get(party) ?? []
    this.#waiting.delete(party)
    party.handleCommitFailed([...entries, ...behind], cause)
  }
}
