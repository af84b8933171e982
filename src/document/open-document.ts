import type {
  DocumentHandle,
  DocumentName,
  Epoch,
  SnapshotReference,
} from '../../protocol/index.ts'
import type { CancelTimer, Clock } from '../clock.ts'
import { asDocumentError, DocumentError } from '../errors.ts'
import type { CommitFailure, CommitLoop, CommitParty } from '../log/commit-loop.ts'
import type { DocumentHead, NewEntry, Storage } from '../storage/storage.ts'
import type { Logger } from '../telemetry/logger.ts'
import { AcceptedStructs } from './accepted-structs.ts'
import { ClientClaims } from './client-claims.ts'
import type { DocumentIndex } from '../update/document-index.ts'
import { Presence, type PresenceChange } from './presence.ts'
import { PresenceOfDocument } from './presence-of-document.ts'
import { RecentEntries } from './recent-entries.ts'
import type { RelayTurn } from './relay-turn.ts'
import { Room } from './room.ts'
import { Staging } from './staging.ts'
import { loadIndex } from './stored-document.ts'
import { withoutKnown } from '../update/known-overlap.ts'
import type { ScanLimits } from '../update/scan-limits.ts'
import { scanUpdate, type KnownStructs, type ScanResult } from '../update/update-scan.ts'

type ValidScan = Extract<ScanResult, { verdict: 'valid' }>

/** An accepted update between the check and the disk. */
export interface PendingEntry extends NewEntry {
  readonly scan: ValidScan
  readonly origin: object | null
  readonly receipt: Receipt
}

/** Whoever handed in an update hears of its fate, once. Neither call throws. */
export interface Receipt {
  /** Durable under this sequence number; or, with `isEntry` false, it changed nothing, and `seq` is the head. */
  handleAccepted(seq: number, isEntry: boolean): void
  /** It was not applied anywhere. */
  handleRefused(error: unknown): void
}

export interface Accepted {
  readonly seq: number
  /** False when the update changed nothing: `seq` is the head, not its own. */
  readonly isEntry: boolean
}

export interface Author {
  /** The session or editor that the update came through. */
  readonly origin: object | null
  readonly userId: string | null
}

/** Of all documents of a server: one object for all of them. */
export interface OpenDocumentOptions {
  readonly storage: Storage
  readonly commits: CommitLoop<PendingEntry>
  readonly clock: Clock
  readonly relayTurn: RelayTurn
  readonly logger: Logger
  readonly relayIntervalMs: number
  readonly recentBytes: number
  readonly presenceIntervalMs: number
  readonly presenceRefreshMs: number
  readonly maxPresenceBytes: number
  readonly maxPresenceBytesPerDocument: number
  readonly maxDocumentBytes: number
  readonly scanLimits: ScanLimits
  /** Told of every change of the presence. Does not throw. */
  readonly onPresence?: ((name: DocumentName, ...change: PresenceChange) => void) | null
  /** Told of entries that became durable, in their order. Does not throw. */
  readonly onCommitted?:
    | ((name: DocumentName, entries: readonly PendingEntry[], firstSeq: number) => void)
    | null
  /** Called after entries became durable, to decide about compaction. */
  readonly onGrown: (document: OpenDocument) => void
}

interface DocumentIdentity {
  readonly handle: DocumentHandle
  readonly name: DocumentName
}

const SCAN_LIMIT_OPTIONS = { structs: 'maxStructsPerUpdate', nesting: 'maxNesting' } as const

/** After a failed write the disk is asked again after this long, then after twice as long, and so on. */
const MIN_RECHECK_MS = 1000
const MAX_RECHECK_MS = 60_000

/**
 * A document that somebody has open: what is needed to check, order, store, relay and catch up, and no
 * Y.Doc. The index, the head and the recent entries are those of the disk; what is accepted but not yet durable
 * is only known by its clocks (`#staging`) and places, so that a failed write leaves nothing to undo.
 */
export class OpenDocument implements CommitParty<PendingEntry> {
  readonly handle: DocumentHandle
  readonly name: DocumentName
  readonly room: Room
  readonly presence: Presence
  readonly claims = new ClientClaims()
  readonly #options: OpenDocumentOptions
  readonly #epoch: Epoch
  #index: DocumentIndex
  #snapshot: SnapshotReference | null
  #recent: RecentEntries
  #tailBytes: number
  readonly #staging = new Staging()
  /** What the next update may build on: what is durable, and what is on its way. */
  readonly #accepted: KnownStructs
  /** Set after a failed write: the disk may hold more than we know, so it is read again first. */
  #needsReload = false
  #reloading: Promise<void> | null = null
  #cancelRecheck: CancelTimer | null = null
  #recheckMs = MIN_RECHECK_MS
  #ended: DocumentError | null = null
  #isClosed = false

  private constructor(
    { handle, name }: DocumentIdentity,
    options: OpenDocumentOptions,
    head: DocumentHead,
    loaded: Loaded,
  ) {
    this.#options = options
    this.handle = handle
    this.name = name
    this.#epoch = head.epoch
    this.#snapshot = snapshotReference(head)
    this.#index = loaded.index
    this.#recent = loaded.recent
    this.#tailBytes = loaded.tailBytes
    this.room = new Room(options.clock, options.relayIntervalMs, () => this.#recent, options.logger)
    this.presence = new Presence(new PresenceOfDocument(options, this))
    this.#accepted = new AcceptedStructs(this.#staging, this)
  }

  static async load(
    identity: DocumentIdentity,
    options: OpenDocumentOptions,
  ): Promise<OpenDocument> {
    const { name } = identity
    const head = await options.storage.head(name)
    return new OpenDocument(identity, options, head, await load(name, options, head))
  }

  get epoch(): Epoch {
    return this.#epoch
  }

  get neededAt(): number {
    return this.room.neededAt
  }

  /** The last durable sequence number. */
  get head(): number {
    return this.#recent.head
  }

  get snapshot(): SnapshotReference | null {
    return this.#snapshot
  }

  get recent(): RecentEntries {
    return this.#recent
  }

  get index(): DocumentIndex {
    return this.#index
  }

  get tailEntries(): number {
    return this.head - (this.#snapshot?.seq ?? 0)
  }

  /** Bytes of the log after the snapshot. */
  get tailBytes(): number {
    return this.#tailBytes
  }

  /** Deleted or replaced: nothing is accepted any more. */
  get isEnded(): boolean {
    return this.#ended !== null
  }

  /** Nothing is on its way to the disk. */
  get isSettled(): boolean {
    return this.#staging.isEmpty
  }

  /** Throws `malformed-update` for bytes that no document would accept. */
  assertWellFormed(update: Uint8Array): void {
    this.#scan(update)
  }

  /** `submit` as a promise. */
  accept(update: Uint8Array, author: Author): Promise<Accepted> {
    return new Promise((resolve, reject) => {
      this.submit(update, author, {
        handleAccepted: (seq, isEntry) => resolve({ seq, isEntry }),
        handleRefused: reject,
      })
    })
  }

  /**
   * Checks an update, and tells the receipt its sequence number once it is durable. Refuses with
   * `malformed-update`, `missing-dependencies`, `storage-unavailable`, `document-reset` or
   * `document-deleted`. The bytes must not change afterwards. No promise: a keystroke would make five on its way.
   */
  submit(update: Uint8Array, author: Author, receipt: Receipt): void {
    if (!this.#needsReload) {
      this.#submit(update, author, receipt)
      return
    }
    this.#reload().then(
      () => this.#submit(update, author, receipt),
      (error: unknown) => receipt.handleRefused(error),
    )
  }

  #submit(update: Uint8Array, author: Author, receipt: Receipt): void {
    try {
      const scan = this.#check(update)
      if (!this.#index.covers(scan)) this.#enqueue(update, scan, author, receipt)
      else if (this.isSettled) receipt.handleAccepted(this.head, false)
      else this.#acceptWithPending(receipt)
    } catch (error) {
      receipt.handleRefused(error)
    }
  }

  #check(update: Uint8Array): ValidScan {
    if (this.#ended !== null) throw this.#ended
    // Asked for while the server closes, and come as far as this only after its last writes were waited for.
    if (this.#isClosed) throw new DocumentError('server-closing', 'the server is closing')
    const scan = this.#scan(update)
    if (scan.verdict === 'missing-dependencies')
      throw new DocumentError('missing-dependencies', scan.message)
    return scan
  }

  /** It may be covered by an update that is still on its way to the disk. [ACK2] */
  #acceptWithPending(receipt: Receipt): void {
    this.#staging.whenSettled().then(
      () => receipt.handleAccepted(this.head, false),
      (error: unknown) => receipt.handleRefused(error),
    )
  }

  #enqueue(update: Uint8Array, scan: ValidScan, author: Author, receipt: Receipt): void {
    this.#assertFits(update, scan)
    if (this.#options.commits.isFull)
      throw new DocumentError('storage-unavailable', 'the disk does not keep up; send it again', {
        limit: 'maxPendingBytes',
      })
    // What peers already have of it goes no further: forged, it could make their Yjs throw.
    const news = withoutKnown(update, scan)
    this.#staging.add(scan.inserts)
    this.#index.expect(scan)
    this.#options.commits.enqueue(this, {
      update: news,
      author: author.userId,
      receivedAt: this.#options.clock.now(),
      scan,
      origin: author.origin,
      receipt,
    })
  }

  #scan(update: Uint8Array): Exclude<ScanResult, { verdict: 'malformed' }> {
    const scan = scanUpdate(update, this.#accepted, this.#options.scanLimits)
    if (scan.verdict !== 'malformed') return scan
    const limit = scan.limit === null ? {} : { limit: SCAN_LIMIT_OPTIONS[scan.limit] }
    throw new DocumentError('malformed-update', scan.message, limit)
  }

  /** A document that is full still takes deletions: folding makes room of them. What is on its way to the disk is not counted. */
  #assertFits(update: Uint8Array, { inserts }: ValidScan): void {
    const { maxDocumentBytes } = this.#options
    const bytes = (this.#snapshot?.bytes ?? 0) + this.#tailBytes
    if (inserts.length === 0 || bytes + update.length <= maxDocumentBytes) return
    throw new DocumentError(
      'document-too-large',
      `a document may have ${maxDocumentBytes} bytes; this one has ${bytes}, and only deletions are taken`,
      { limit: 'maxDocumentBytes' },
    )
  }

  /** Whether somebody who has the log up to `seq`, and nothing else, has the same as we. Null while that cannot be said. */
  isSame(seq: number, digest: Uint8Array): boolean | null {
    if (this.#needsReload || seq !== this.head) return null
    return Buffer.compare(this.#index.digest(), digest) === 0
  }

  /** The storage does not have this snapshot any more. If it is the one that joiners are sent to, the head is read again first. */
  handleSnapshotGone(seq: number): void {
    if ((this.#snapshot?.seq ?? 0) === seq) this.markStale()
  }

  /**
   * What is in memory may not be what is on disk. It is read again before anything is done with it, and soon in any case: members
   * must hear what a write that failed has left there, though nobody edits or joins.
   */
  markStale(): void {
    this.#needsReload = true
    if (this.#ended !== null || this.#isClosed) return
    this.#cancelRecheck ??= this.#options.clock.setTimer(this.#recheckMs, () => {
      this.#cancelRecheck = null
      this.#recheckMs = Math.min(this.#recheckMs * 2, MAX_RECHECK_MS)
      // It may have been read again since, or fail again: then later.
      if (this.#needsReload) this.#reload().catch(() => this.markStale())
    })
  }

  /** Makes what is in memory match the disk again, after a write failed. Null: it does, as it nearly always does. Throws or rejects when the document has ended. */
  whenLoaded(): Promise<void> | null {
    if (this.#needsReload) return this.#reload().then(() => this.#assertNotEnded())
    this.#assertNotEnded()
    return null
  }

  #assertNotEnded(): void {
    if (this.#ended !== null) throw this.#ended
  }

  handleCommitted(entries: readonly PendingEntry[], firstSeq: number): void {
    this.#staging.settle(entries.length)
    this.#options.onCommitted?.(this.name, entries, firstSeq)
    if (firstSeq !== this.head + 1 || this.#needsReload) {
      // The log grew without us: a write that we were told had failed did reach the disk.
      this.markStale()
      this.#tellDurable(entries, firstSeq)
      void this.#reload().catch((error: unknown) => {
        this.#options.logger.error('reloading a document failed', { document: this.name, error })
      })
      return
    }
    // Before anybody is told: whoever hears of it may hand in the next one within the call, which builds on these.
    let defect: { readonly error: unknown } | null = null
    try {
      let seq = firstSeq
      for (const { scan, update, origin } of entries) {
        this.#index.applyExpected(scan)
        this.#recent.push({ seq: seq++, update, origin })
        this.#tailBytes += update.length
      }
    } catch (error) {
      this.markStale()
      defect = { error }
    }
    // A defect in the bookkeeping must not leave anyone waiting: it is on disk.
    this.#tellDurable(entries, firstSeq)
    if (defect !== null) throw defect.error
    // The acknowledgements leave first (those that go by promises, before the turn ends): an author that knows its
    // own sequence numbers takes no relay of later entries for a hole.
    this.#options.relayTurn.add(this.room)
    this.#options.onGrown(this)
  }

  handleCommitFailed(entries: readonly PendingEntry[], cause: CommitFailure): void {
    const error = commitError(this.name, cause)
    // Also when the document was replaced: its members are told when the head is read.
    this.markStale()
    if (cause.kind === 'storage') {
      this.#options.logger.error('a write failed', { document: this.name, error: cause.error })
    }
    this.#staging.settle(entries.length, error)
    for (const { receipt } of entries) {
      try {
        receipt.handleRefused(error)
      } catch (fault) {
        this.#reportReceipt(fault)
      }
    }
  }

  #tellDurable(entries: readonly PendingEntry[], firstSeq: number): void {
    let seq = firstSeq
    for (const { receipt } of entries) {
      try {
        receipt.handleAccepted(seq++, true)
      } catch (error) {
        this.#reportReceipt(error)
      }
    }
  }

  /** Whoever throws when told keeps the others of his batch from nothing. */
  #reportReceipt(error: unknown): void {
    this.#options.logger.error('an author could not be told', { document: this.name, error })
  }

  /** The storage has folded the log up to `snapshot.seq`; `foldedBytes` of entries went into it. */
  handleCompacted(snapshot: SnapshotReference, exact: DocumentIndex, foldedBytes: number): void {
    this.#snapshot = { seq: snapshot.seq, bytes: snapshot.bytes, chunkBytes: snapshot.chunkBytes }
    // A reload in between may have counted only what is left already.
    this.#tailBytes = Math.max(0, this.#tailBytes - foldedBytes)
    // Folding finds deletions that no update names (of a key that was overwritten concurrently).
    this.#index.addDeletesOf(exact)
  }

  /** Ends the document for everybody: members are told, later updates are refused with this error. */
  end(error: DocumentError): void {
    if (this.#ended !== null) return
    this.#ended = error
    this.#cancelRecheck?.()
    this.presence.close()
    this.room.end(error)
  }

  /** Nobody is left: stops the timers. */
  close(): void {
    this.#isClosed = true
    this.#cancelRecheck?.()
    this.presence.close()
    this.room.close()
  }

  #reload(): Promise<void> {
    this.#reloading ??= this.#readAgain().finally(() => {
      this.#reloading = null
    })
    return this.#reloading
  }

  async #readAgain(): Promise<void> {
    // Entries on their way would be counted twice, or not at all.
    await this.#staging.whenSettled().catch(() => undefined)
    let head: DocumentHead
    let loaded: Loaded
    try {
      head = await this.#options.storage.head(this.name)
      loaded = await load(this.name, this.#options, head, this.room.relayedSeq)
    } catch (error) {
      throw (
        asDocumentError(error) ??
        new DocumentError('storage-unavailable', 'the document cannot be read at the moment', {
          cause: error,
        })
      )
    }
    if (head.epoch !== this.#epoch) {
      const reset = new DocumentError('document-reset', `${JSON.stringify(this.name)} was replaced`)
      this.end(reset)
      throw reset
    }
    this.#snapshot = snapshotReference(head)
    this.#index = loaded.index
    this.#recent = loaded.recent
    this.#tailBytes = loaded.tailBytes
    this.#needsReload = false
    this.#cancelRecheck?.()
    this.#cancelRecheck = null
    this.#recheckMs = MIN_RECHECK_MS
    this.room.schedule()
  }
}

function commitError(name: DocumentName, cause: CommitFailure): DocumentError {
  switch (cause.kind) {
    case 'document-reset':
      return new DocumentError('document-reset', `${JSON.stringify(name)} was replaced meanwhile`)
    case 'record-damaged':
      return new DocumentError('document-damaged', `${JSON.stringify(name)} cannot be read`)
    case 'storage':
      return new DocumentError('storage-unavailable', 'the write failed; send it again', {
        cause: cause.error,
      })
  }
}

function snapshotReference({ snapshot }: DocumentHead): SnapshotReference | null {
  if (snapshot === null) return null
  // Without the encoded index: it lives on in `#index`.
  return { seq: snapshot.seq, bytes: snapshot.bytes, chunkBytes: snapshot.chunkBytes }
}

interface Loaded {
  readonly index: DocumentIndex
  readonly recent: RecentEntries
  readonly tailBytes: number
}

async function load(
  name: DocumentName,
  options: OpenDocumentOptions,
  head: DocumentHead,
  relayedSeq = head.seq,
): Promise<Loaded> {
  const { index, tail } = await loadIndex(options.storage, name, head)
  const recent = new RecentEntries(options.recentBytes, head.snapshot?.seq ?? 0)
  let tailBytes = 0
  for (const entry of tail) {
    recent.push({ seq: entry.seq, update: entry.update, origin: null })
    tailBytes += entry.update.length
    recent.trim(Math.min(relayedSeq, entry.seq))
  }
  return { index, recent, tailBytes }
}
