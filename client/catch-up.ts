import type { DocumentHandle, Epoch, Refusal } from '../protocol/index.ts'
import type { Channel } from './channel.ts'
import type { CancelTimer, Clock } from './clock.ts'
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
  readonly clock: Clock
  readonly apply: (updates: readonly Uint8Array[]) => void
  readonly handleAdvance: () => void
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

  handleRelay(from: number, to: number, update: Uint8Array): void {
    const { cursor, apply } = this.#options
    cursor.handleHint(to)
    if (!cursor.connects(from)) {
      // Dropped, not parked in the document: the pull brings it with what is missing before it.
      this.pull()
      return
    }
    if (to > cursor.seq) {
      // First the position: an observer that throws has seen the update all the same.
      cursor.advance(to)
      apply([update])
    }
    this.#check()
  }

  /** Another way brought this entry: it is applied already. */
  handleEntry(seq: number): void {
    this.#options.cursor.handleEntry(seq)
    this.#check()
  }

  /** The log reaches at least up to here. */
  handleHint(seq: number): void {
    this.#options.cursor.handleHint(seq)
    this.#check()
  }

  /** Reads from the server until nothing that is known of is missing. */
  pull(): void {
    const { channel, handle, epoch, cursor, apply, handleLost } = this.#options
    if (this.#isPulling || this.#isStopped || !cursor.isBehind) return
    this.#isPulling = true
    const after = cursor.seq
    channel.request('pull', [handle, { epoch, after }], (answer) => {
      this.#isPulling = false
      if (this.#isStopped) return
      if (!answer.ok) return handleLost(answer)
      const isStuck = answer.seq <= after
      cursor.advance(answer.seq)
      apply(answer.updates)
      if (isStuck && cursor.isBehind) {
        handleLost({
          ok: false,
          code: 'cursor-too-old',
          retry: 'resync',
          message: `the server has nothing after ${after}, and announced more`,
        })
        return
      }
      this.pull()
      this.#check()
    })
  }

  stop(): void {
    this.#isStopped = true
    this.#cancelPatience?.()
    this.#cancelPatience = null
  }

  #check(): void {
    const { cursor, clock, handleAdvance } = this.#options
    if (this.#isStopped) return
    if (!cursor.isBehind) {
      this.#cancelPatience?.()
      this.#cancelPatience = null
    } else {
      this.#cancelPatience ??= clock.setTimer(HOLE_PATIENCE_MS, () => {
        this.#cancelPatience = null
        this.pull()
      })
    }
    handleAdvance()
  }
}
