import type { CancelTimer, Clock } from '../clock.ts'
import { DocumentError } from '../errors.ts'
import { Rate } from './rate.ts'

/** What one connection may send of one kind. */
export interface PaceLimit {
  /** The option that sets it, for whoever counts. */
  readonly option: string
  readonly perSecond: number
  /** What a message of so many bytes uses of it. */
  readonly cost: (bytes: number) => number
}

export interface PaceOptions {
  readonly clock: Clock
  readonly limits: readonly PaceLimit[]
  readonly handleLimitHit: (limit: string) => void
  /** The sender goes on although it gets no answers: it must go, and be told why. */
  readonly handleIgnored: (error: DocumentError) => void
  /** Something is held from now on, or nothing any more. */
  readonly handleHolding: (isHolding: boolean) => void
}

interface Held {
  readonly key: string | null
  /** Of the message. */
  bytes: number
  task: () => unknown
  /** More than one where a later message took the place of an earlier one. */
  readonly waiting: { resolve(answer: unknown): void; reject(error: unknown): void }[]
}

/**
 * What is held of one connection. A client of ours stops at sixteen messages without an answer; one that sends all of a day's
 * keystrokes at once, over long polling, does so in requests of a megabyte, which have some ten thousand.
 */
const MAX_HELD_BYTES = 8 * 1024 * 1024
/** What a message keeps alive beside its bytes until it is answered, also one whose place another took. */
const ANSWER_BYTES = 512
/** So many messages of one connection are taken in one turn of the event loop, some milliseconds of work; then others get theirs. */
const MESSAGES_PER_TURN = 64

/** More than any client of ours sends without an answer at the smallest limits that make sense. */
const MAX_OWED_MS = 60_000

/**
 * Messages of one connection that come faster than allowed are held, in their order, and taken when it is their time: nothing is
 * dropped, and who waits for answers slows down by itself. Of who does not, no more is read where that is possible; where it is not, it is
 * ended with `too-many-requests`. [RATE1] [RATE2]
 */
export class Pace {
  readonly #options: PaceOptions
  readonly #rates: readonly { readonly limit: PaceLimit; readonly rate: Rate }[]
  readonly #held = new Set<Held>()
  readonly #latest = new Map<string, Held>()
  #heldBytes = 0
  #cancelTimer: CancelTimer | null = null
  #ignored: DocumentError | null = null
  /** How many more may be taken in this turn. */
  #leftOfTurn = MESSAGES_PER_TURN

  constructor(options: PaceOptions) {
    this.#options = options
    this.#rates = options.limits.map((limit) => ({
      limit,
      rate: new Rate(options.clock, limit.perSecond),
    }))
  }

  /**
   * Runs the task now, or when it is its turn. With a `key` it takes the place of one with the same key that is still held, and
   * its outcome answers both: only the latest counts.
   */
  pass<Result>(
    bytes: number,
    task: () => Result | Promise<Result>,
    key: string | null = null,
  ): Result | Promise<Result> {
    return this.tryPass(bytes) ? task() : this.#hold(bytes, task, key)
  }

  /** Whether a message may be taken at once, which then counts. Otherwise it has to `pass`. */
  tryPass(bytes: number): boolean {
    if (this.#ignored !== null) throw this.#ignored
    if (this.#held.size > 0 || !this.#mayRun()) return false
    this.#use(bytes)
    return true
  }

  /**
   * Runs at once what is held: the session or the connection that it came through ends. Who leaves and joins to get more through
   * than allowed owes it, and with too much owed it is refused.
   */
  release(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = null
    for (const held of this.#held)
      if (this.#waitMs() < MAX_OWED_MS) this.#run(held)
      else this.#refuse(held, tooMany(this.#options.limits))
  }

  #hold<Result>(
    bytes: number,
    task: () => Result | Promise<Result>,
    key: string | null,
  ): Promise<Result> {
    const earlier = key === null ? undefined : this.#latest.get(key)
    const grownBytes = bytes - (earlier?.bytes ?? 0) + ANSWER_BYTES
    // One message of any size may wait.
    if (this.#held.size > 0 && this.#heldBytes + grownBytes > MAX_HELD_BYTES) throw this.#giveUp()
    const held: Held = earlier ?? { key, bytes, task, waiting: [] }
    this.#heldBytes += grownBytes
    held.bytes = bytes
    held.task = task
    if (this.#held.size === 0) this.#options.handleHolding(true)
    this.#held.add(held)
    if (key !== null) this.#latest.set(key, held)
    this.#countHits()
    this.#schedule()
    return new Promise((resolve, reject) => {
      held.waiting.push({ resolve: resolve as (answer: unknown) => void, reject })
    })
  }

  #schedule(): void {
    // With the next turn it goes on by itself.
    if (this.#cancelTimer !== null || this.#leftOfTurn <= 0) return
    // Time went on since it was said to be too early: the wait may be over by now, and somebody must still come back to it.
    this.#cancelTimer = this.#options.clock.setTimer(this.#waitMs(), () => {
      this.#cancelTimer = null
      this.#runHeld()
    })
  }

  #runHeld(): void {
    for (const held of this.#held) {
      if (!this.#mayRun()) break
      this.#run(held)
    }
    if (this.#held.size > 0) this.#schedule()
  }

  #mayRun(): boolean {
    return this.#leftOfTurn > 0 && this.#waitMs() === 0
  }

  #run(held: Held): void {
    this.#forget(held)
    this.#use(held.bytes)
    try {
      Promise.resolve(held.task()).then(
        (answer) => held.waiting.forEach(({ resolve }) => resolve(answer)),
        (error: unknown) => held.waiting.forEach(({ reject }) => reject(error)),
      )
    } catch (error) {
      for (const { reject } of held.waiting) reject(error)
    }
  }

  #giveUp(): DocumentError {
    const error = tooMany(this.#options.limits)
    this.#ignored = error
    this.#cancelTimer?.()
    this.#cancelTimer = null
    for (const held of this.#held) this.#refuse(held, error)
    this.#options.handleIgnored(error)
    return error
  }

  #refuse(held: Held, error: DocumentError): void {
    this.#forget(held)
    for (const { reject } of held.waiting) reject(error)
  }

  #forget(held: Held): void {
    this.#held.delete(held)
    if (this.#held.size === 0) this.#options.handleHolding(false)
    if (held.key !== null) this.#latest.delete(held.key)
    this.#heldBytes -= held.bytes + held.waiting.length * ANSWER_BYTES
  }

  #countHits(): void {
    for (const { limit, rate } of this.#rates)
      if (rate.waitMs > 0) this.#options.handleLimitHit(limit.option)
  }

  #waitMs(): number {
    const now = this.#options.clock.now()
    let waitMs = 0
    for (const { rate } of this.#rates) waitMs = Math.max(waitMs, rate.waitMsAt(now))
    return waitMs
  }

  #use(bytes: number): void {
    if (this.#leftOfTurn-- === MESSAGES_PER_TURN)
      this.#options.clock.afterTurn(() => {
        this.#leftOfTurn = MESSAGES_PER_TURN
        if (this.#cancelTimer === null) this.#runHeld()
      })
    // Filled a moment ago, when it was asked whether it may run.
    for (const { limit, rate } of this.#rates) rate.use(limit.cost(bytes))
  }
}

function tooMany(limits: readonly PaceLimit[]): DocumentError {
  const options = limits.map(({ option }) => option).join(' or ')
  return new DocumentError(
    'too-many-requests',
    `wait for answers; this connection sends more than ${options} allows`,
  )
}
