import type { CancelTimer, Clock } from '../clock.ts'
import type { DocumentError } from '../errors.ts'
import type { RecentEntries } from './recent-entries.ts'
import { updateMessage, type UpdateMessage } from './update-message.ts'

/** Somebody who hears of every durable entry: a session, or an editor inside the server. */
export interface Listener {
  /**
   * All entries after those of the message before. May overlap what the listener knows; a listener
   * that cannot take it now keeps its own position and catches up.
   */
  handleUpdate(message: UpdateMessage): void
  /** A y-protocols awareness update. `except` is the one member that it concerns, if only one. */
  handlePresence(update: Uint8Array, except: object | null): void
  /** The document is over for everybody. */
  handleEnd(error: DocumentError): void
}

/** The room grows the interval by one millisecond for this many listeners… */
const LISTENERS_PER_MS = 16
/** …up to this: beyond it a human notices. */
const MAX_RELAY_INTERVAL_MS = 60

/**
 * The audience of one document. A quiet document is relayed at once; a busy one at most once per
 * interval, everything since then merged into one message, encoded once for all.
 */
export class Room {
  readonly #clock: Clock
  readonly #intervalMs: number
  readonly #recent: () => RecentEntries
  readonly #listeners = new Set<Listener>()
  #relayedSeq: number
  #relayedAt = -Infinity
  #cancelTimer: CancelTimer | null = null

  constructor(clock: Clock, intervalMs: number, recent: () => RecentEntries) {
    this.#clock = clock
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

  add(listener: Listener): void {
    this.#listeners.add(listener)
  }

  remove(listener: Listener): void {
    this.#listeners.delete(listener)
  }

  /** New entries are durable: relays them now, or with the next interval. */
  schedule(): void {
    if (this.#cancelTimer !== null) return
    const waitMs = this.#relayedAt + this.#interval() - this.#clock.now()
    if (waitMs <= 0) {
      this.#relay()
      return
    }
    this.#cancelTimer = this.#clock.setTimer(waitMs, () => {
      this.#cancelTimer = null
      this.#relay()
    })
  }

  sendPresence(update: Uint8Array, except: object | null): void {
    for (const listener of [...this.#listeners]) listener.handlePresence(update, except)
  }

  end(error: DocumentError): void {
    const listeners = [...this.#listeners]
    this.close()
    for (const listener of listeners) listener.handleEnd(error)
  }

  close(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = null
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
    if (this.#listeners.size > 0) {
      // After a failed write the recent entries may begin later; listeners notice the hole and fill it.
      const message = updateMessage(recent.after(Math.max(this.#relayedSeq, recent.since)))
      // A copy: a listener that fails is removed while we walk.
      for (const listener of [...this.#listeners]) listener.handleUpdate(message)
    }
    this.#relayedSeq = recent.head
    recent.trim(this.#relayedSeq)
  }
}
