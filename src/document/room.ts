import type { CancelTimer, Clock } from '../clock.ts'
import { DocumentError } from '../errors.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { RecentEntries } from './recent-entries.ts'
import { updateMessage, type UpdateMessage } from './update-message.ts'

/** Somebody who hears of every durable entry: a session, or an editor inside the server. */
export interface Listener {
  /**
   * All entries after those of the message before. May overlap what the listener knows; a listener
   * that cannot take it now keeps its own position and catches up.
   */
  handleUpdate(message: UpdateMessage): void
  /** There are entries up to `head` that are no longer in memory: read them from the log. */
  handleSkipped(head: number): void
  /** A y-protocols awareness update. `except` is the one member that it concerns, if only one. */
  handlePresence(update: Uint8Array, except: object | null): void
  /** The document is over for everybody. */
  handleEnd(error: DocumentError): void
}

/**
 * The room grows the interval by one millisecond for this many listeners: each relay is a write to each of them, which takes a server some ten
 * microseconds. With a hundred that is an eighth of a core at the default interval, with six hundred a fifth…
 */
const LISTENERS_PER_MS = 24
/** …up to this: beyond it a human notices. */
const MAX_RELAY_INTERVAL_MS = 60

/**
 * From this many listeners on, the disk waits for the room: what would be durable long before its relay is written together with what comes until
 * then. A smaller room is acknowledged as fast as the disk can.
 */
const CROWD = 16

/**
 * The write that a relay waits for ends about when the relay is due. One that ends so much earlier is relayed at once, and what was durable before waits
 * for it so much longer: whatever just missed a relay would have to wait for a whole interval more.
 */
const WRITE_TOLERANCE_MS = 2

/**
 * So many bytes of presence are handed to members in one go, a millisecond or two of work; then others get their turn. A thousand
 * members with carets make a message of 100 KB for each of them.
 */
const PRESENCE_SLICE_BYTES = 1024 * 1024

/**
 * The audience of one document. A quiet document is relayed at once; a busy one at most once per
 * interval, everything since then merged into one message, encoded once for all.
 */
export class Room {
  readonly #clock: Clock
  readonly #intervalMs: number
  readonly #recent: () => RecentEntries
  readonly #logger: Logger
  readonly #listeners = new Set<Listener>()
  #relayedSeq: number
  #relayedAt = -Infinity
  #cancelTimer: CancelTimer | null = null
  /** Sends the rest of a presence message to those who have not had it. */
  #finishPresence: (() => void) | null = null

  constructor(clock: Clock, intervalMs: number, recent: () => RecentEntries, logger: Logger) {
    this.#clock = clock
    this.#logger = logger
    this.#intervalMs = intervalMs
    this.#recent = recent
    this.#relayedSeq = recent().head
  }

  /** Every listener was given everything up to here, or has put itself behind. */
  get relayedSeq(): number {
    return this.#relayedSeq
  }

  get size(): number {
    return this.#listeners.size
  }

  /** When what becomes durable now would be relayed, in the clock's milliseconds, if it is worth waiting for; -Infinity: at once. */
  get neededAt(): number {
    return this.#isCrowd ? this.#relayedAt + this.#interval() : -Infinity
  }

  get #isCrowd(): boolean {
    return this.#listeners.size >= CROWD && this.#intervalMs > 0
  }

  add(listener: Listener): void {
    this.#listeners.add(listener)
  }

  remove(listener: Listener): void {
    this.#listeners.delete(listener)
  }

  /** New entries are durable: relays them now, or with the next interval. */
  schedule(): void {
    const interval = this.#interval()
    // Never longer than the interval: the time of day may have been set back.
    const waitMs = Math.min(interval, this.#relayedAt + interval - this.#clock.now())
    const tolerance = this.#isCrowd ? WRITE_TOLERANCE_MS : 0
    if (waitMs <= tolerance) {
      this.#cancelTimer?.()
      this.#cancelTimer = null
      this.#relay()
      return
    }
    this.#cancelTimer ??= this.#clock.setTimer(waitMs + tolerance, () => {
      this.#cancelTimer = null
      this.#relay()
    })
  }

  sendPresence(update: Uint8Array, except: object | null): void {
    // Members are told of every message in order.
    this.#finishPresence?.()
    const listeners = [...this.#listeners]
    const slice = Math.max(1, Math.floor(PRESENCE_SLICE_BYTES / update.length))
    let next = 0
    const tell = (count: number): void => {
      const told = listeners.slice(next, next + count).filter((one) => this.#listeners.has(one))
      next += count
      if (next >= listeners.length) this.#finishPresence = null
      this.#tellEach((listener) => listener.handlePresence(update, except), told)
    }
    const finish = (): void => tell(listeners.length)
    const tellSlice = (): void => {
      if (this.#finishPresence !== finish) return
      tell(slice)
      if (next < listeners.length) this.#clock.afterTurn(tellSlice)
    }
    this.#finishPresence = finish
    tellSlice()
  }

  end(error: DocumentError): void {
    const listeners = [...this.#listeners]
    this.close()
    for (const listener of listeners) listener.handleEnd(error)
  }

  close(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = null
    this.#finishPresence = null
    this.#listeners.clear()
  }

  #interval(): number {
    if (this.#intervalMs === 0) return 0
    return Math.min(
      Math.max(this.#intervalMs, MAX_RELAY_INTERVAL_MS),
      this.#intervalMs + this.#listeners.size / LISTENERS_PER_MS,
    )
  }

  #relay(): void {
    const recent = this.#recent()
    if (recent.head === this.#relayedSeq) return
    this.#relayedAt = this.#clock.now()
    const from = this.#relayedSeq
    this.#relayedSeq = recent.head
    if (this.#listeners.size === 0) {
      recent.trim(this.#relayedSeq)
      return
    }
    if (from < recent.since) {
      // After a failed write the recent entries begin anew, behind the snapshot.
      this.#tellEach((listener) => listener.handleSkipped(recent.head))
      return
    }
    const message = updateMessage(recent.after(from))
    this.#tellEach((listener) => listener.handleUpdate(message))
    recent.trim(this.#relayedSeq)
  }

  /** A listener that fails is ended: it must not keep the others from hearing, nor reach the process. */
  #tellEach(tell: (listener: Listener) => void, listeners = [...this.#listeners]): void {
    // A copy: listeners come and go while we walk.
    for (const listener of listeners) {
      try {
        tell(listener)
      } catch (error) {
        this.#logger.error('a member of a document failed', { error })
        this.#listeners.delete(listener)
        listener.handleEnd(
          new DocumentError('internal-error', 'join the document again', { cause: error }),
        )
      }
    }
  }
}
