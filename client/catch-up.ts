import type { DocumentHandle, Epoch, Refusal, SnapshotReference } from '../protocol/index.ts'
import type { Channel } from './channel.ts'
import type { CancelTimer, Clock } from './clock.ts'
import type { EntryLoad } from './entry-load.ts'
import type { NoAnswer } from './provider-error.ts'
import type { UpdateCursor } from './update-cursor.ts'

/**
 * Relays are at most 60 ms behind acknowledgements. Who knows of an entry for this long without
 * having it has lost a message.
 */
const HOLE_PATIENCE_MS = 2000

interface CatchUpOptions {
  readonly channel: Channel
  readonly handle: DocumentHandle
  readonly epoch: Epoch
  readonly cursor: UpdateCursor
  /** The end of the log at the time of the join: read up to here first. */
  readonly head: number
  readonly clock: Clock
  readonly entries: EntryLoad
  readonly handleProgress: (receivedBytes: number, totalBytes: number) => void
  readonly apply: (updates: readonly Uint8Array[]) => void
  /** Everything up to the head of the join is applied. May be called again. */
  readonly handleCaughtUp: () => void
  readonly handleLost: (refused: Refusal | NoAnswer) => void
}

/**
 * Follows the log of a document during one membership: applies what is relayed, notices what is
 * missing, and reads it from the server.
 */
export class CatchUp {
  readonly #options: CatchUpOptions
  #isStopped = false
  #isPulling = false
  #cancelPatience: CancelTimer | null = null

  constructor(options: CatchUpOptions) {
    this.#options = options
  }

  /** Reads what the answer to the join left out. */
  start(): void {
    this.#check()
    if (this.#isIncomplete) this.#pull()
  }

  handleRelay(from: number, to: number, update: Uint8Array): void {
    const { cursor, apply } = this.#options
    cursor.handleHint(to)
    if (!cursor.connects(from)) {
      // Dropped, not parked in the document: the pull brings it with what is missing before it.
      this.#pull()
      return
    }
    if (to > cursor.seq) {
      // First the position: an observer that throws has seen the update all the same.
      cursor.handleRange(from, to)
      apply([update])
    }
    this.#check()
  }

  handleAcknowledged(seq: number, isEntry: boolean): void {
    this.#options.cursor.handleAcknowledged(seq, isEntry)
    this.#check()
  }

  stop(): void {
    this.#isStopped = true
    this.#cancelPatience?.()
    this.#cancelPatience = null
    this.#options.entries.stop()
  }

  get #isIncomplete(): boolean {
    const { cursor, head } = this.#options
    return cursor.isBehind || cursor.seq < head
  }

  /** Reads from the server, page by page, until nothing that is known of is missing. */
  #pull(): void {
    const { channel, handle, epoch, cursor, handleLost } = this.#options
    if (this.#isPulling || this.#isStopped) return
    this.#isPulling = true
    const after = cursor.seq
    channel.request('pull', [handle, { epoch, after, chunked: true }], (answer) => {
      if (this.#isStopped) return
      if (answer.ok && answer.entry?.seq === after + 1) return this.#pullEntry(answer.entry)
      this.#isPulling = false
      if (answer.ok) this.#handlePage(after, answer.seq, answer.updates)
      else handleLost(answer)
    })
  }

  /** The next entry is too large for one message. */
  #pullEntry(entry: SnapshotReference): void {
    const { channel, handle, epoch, entries, handleProgress, handleLost } = this.#options
    entries.start(channel, handle, epoch, entry, {
      handleProgress,
      handleLoaded: (update) => {
        this.#isPulling = false
        this.#handlePage(entry.seq - 1, entry.seq, [update])
      },
      handleFailed: (refused) => {
        this.#isPulling = false
        handleLost(refused)
      },
    })
  }

  #handlePage(after: number, seq: number, updates: readonly Uint8Array[]): void {
    const { cursor, apply, handleLost } = this.#options
    cursor.handleRange(after + 1, seq)
    apply(updates)
    if (this.#isStopped) return
    if (this.#isIncomplete) {
      if (seq > after) this.#pull()
      else
        handleLost({
          ok: false,
          code: 'cursor-too-old',
          retry: 'resync',
          message: `the server announced more, and has nothing after ${after}`,
        })
    } else this.#options.entries.finish()
    this.#check()
  }

  #check(): void {
    const { cursor, head, clock, handleCaughtUp } = this.#options
    if (this.#isStopped) return
    if (!cursor.isBehind) {
      this.#cancelPatience?.()
      this.#cancelPatience = null
    } else {
      this.#cancelPatience ??= clock.setTimer(HOLE_PATIENCE_MS, () => {
        this.#cancelPatience = null
        this.#pull()
      })
    }
    if (cursor.seq >= head) handleCaughtUp()
  }
}
