import { CHUNK_BYTES } from '../../protocol/index.ts'
import { DocumentError } from '../errors.ts'
import type { Outbox } from './outbox.ts'

/** Requests with large answers under way at once: enough to hide the disk, and 8 × 256 KiB of answers at most. */
const MAX_REQUESTS_UNDER_WAY = 8
/**
 * Their answers together stay within this part of the outbox's hard limit: with a small one a client that asks for several
 * chunks at once would be closed for what it was sent, come back, and ask for them again.
 */
const SHARE_OF_HARD_LIMIT = 1 / 2
/** What one waiting request keeps alive beside its bytes: its packet, its promise, its acknowledgement. */
const REQUEST_OVERHEAD_BYTES = 1024
/** Room for some thousand small requests: a client that comes back joins all its documents in one go. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024

interface WaitingRequest {
  readonly bytes: number
  readonly begin: (leave: () => void) => void
  readonly refuse: (error: DocumentError) => void
}

/**
 * Requests whose answers are large (`join`, `pull`) take turns, and begin only while the outbox has room: a reader
 * that keeps asking and does not read gets no more than it has room for. Who asks waits in order; with too much
 * waiting it is refused with `too-many-requests`.
 */
export class Admission {
  readonly #outbox: Outbox
  readonly #maxUnderWay: number
  /** Made with the first request that has to wait. */
  #waiting: WaitingRequest[] | null = null
  #waitingBytes = 0
  #underWay = 0
  #isAwaitingDrain = false
  readonly #leave = (): void => this.#outbox.afterAnswers(this.#end)
  readonly #end = (): void => {
    this.#underWay--
    this.#beginNext()
  }

  constructor(outbox: Outbox) {
    this.#outbox = outbox
    const fitting = Math.floor((outbox.hardBytes * SHARE_OF_HARD_LIMIT) / CHUNK_BYTES)
    this.#maxUnderWay = Math.max(1, Math.min(MAX_REQUESTS_UNDER_WAY, fitting))
  }

  /** What must be called when the request has ended, if it may begin at once, as nearly every one may. Null: it has to `enter`. */
  tryEnter(): (() => void) | null {
    const isFree = this.#underWay < this.#maxUnderWay && !this.#outbox.isCongested
    return isFree && (this.#waiting?.length ?? 0) === 0 ? this.#begin() : null
  }

  /** Resolves when the request may begin, with what must be called when it has ended. `requestBytes`: what it holds while it waits. */
  enter(requestBytes: number): Promise<() => void> {
    const leave = this.tryEnter()
    if (leave !== null) return Promise.resolve(leave)
    const waiting = this.#waiting?.length ?? 0
    const bytes = requestBytes + REQUEST_OVERHEAD_BYTES
    if (waiting > 0 && this.#waitingBytes + bytes > MAX_WAITING_BYTES)
      return Promise.reject(
        new DocumentError('too-many-requests', 'wait for answers before asking for more'),
      )
    return new Promise((begin, refuse) => {
      this.#waiting ??= []
      this.#waiting.push({ bytes, begin, refuse })
      this.#waitingBytes += bytes
      this.#beginNext()
    })
  }

  /** The connection is gone: refuses what waits. */
  close(): void {
    if (this.#waiting === null) return
    const gone = new DocumentError('server-closing', 'the connection is gone')
    for (const { refuse } of this.#waiting.splice(0)) refuse(gone)
    this.#waitingBytes = 0
  }

  /** Returns what must be called when the request has ended. */
  #begin(): () => void {
    this.#underWay++
    return this.#leave
  }

  #beginNext(): void {
    const waiting = this.#waiting
    if (waiting === null) return
    while (waiting.length > 0 && this.#underWay < this.#maxUnderWay) {
      if (this.#outbox.isCongested) {
        this.#awaitDrain()
        return
      }
      const next = waiting.shift() as WaitingRequest
      this.#waitingBytes -= next.bytes
      next.begin(this.#begin())
    }
  }

  #awaitDrain(): void {
    if (this.#isAwaitingDrain) return
    this.#isAwaitingDrain = true
    this.#outbox.whenDrained(() => {
      this.#isAwaitingDrain = false
      this.#beginNext()
    })
  }
}
