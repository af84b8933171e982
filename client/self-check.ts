import type * as Y from 'yjs'
import type { CheckRequest, DocumentHandle, Epoch } from '../protocol/index.ts'
import type { Channel } from './channel.ts'
import type { CancelTimer, Clock } from './clock.ts'
import { digestSteps } from './document-digest.ts'
import { ProviderError } from './provider-error.ts'
import type { SaveLedger } from './save-ledger.ts'
import { compareStates, planHealing, type ServerState } from './state-difference.ts'

/** Nobody has edited for this long: what is under way has arrived. */
const QUIET_MS = 2000

export interface SelfCheckOptions {
  readonly doc: Y.Doc
  readonly clock: Clock
  /** The time between two checks is half of this to one and a half times this, by chance. Null: no checks. */
  readonly intervalMs: number | null
  /** Up to where we have the log, while we have all of it and nothing else; null otherwise. */
  readonly settledSeq: () => number | null
  readonly ledger: SaveLedger
  readonly documentName: string
  /** Applies updates of the server. */
  readonly apply: (updates: readonly Uint8Array[]) => void
  /** The ledger holds something to be sent. */
  readonly handleWaiting: () => void
  /** A divergence was found, and is healed. */
  readonly handleHealed: (error: ProviderError) => void
  /** A divergence was found that only joining anew can heal, without a cursor. */
  readonly handleLost: (error: ProviderError) => void
}

interface Place {
  readonly channel: Channel
  readonly handle: DocumentHandle
  readonly epoch: Epoch
  readonly access: 'read' | 'write'
}

/** A large document is looked at in steps. Between two of them the page has its turn. */
const STEP_PAUSE_MS = 20

/**
 * Compares the document with the server's, at quiet moments: once after joining, and once after each time of editing. It finds
 * what neither sequence numbers nor state vectors show. A document in which nothing changes is not checked again.
 */
export class SelfCheck {
  readonly #options: SelfCheckOptions
  #place: Place | null = null
  #cancel: CancelTimer | null = null
  #isAsking = false
  #lastChangeAt = 0
  /** Counts what happened to the document; a check is about one state of it. */
  #changes = 0
  /** A divergence was healed, and the server has not heard of it. */
  #hasHealed = false

  constructor(options: SelfCheckOptions) {
    this.#options = options
  }

  /** The document is joined: from now on. */
  begin(place: Place): void {
    if (this.#options.intervalMs === null) return
    this.end()
    this.#place = place
    this.#options.doc.on('update', this.#handleChange)
    this.#arm()
  }

  end(): void {
    this.#place = null
    this.#isAsking = false
    this.#cancel?.()
    this.#cancel = null
    this.#options.doc.off('update', this.#handleChange)
  }

  readonly #handleChange = (): void => {
    this.#changes++
    this.#lastChangeAt = this.#options.clock.now()
    this.#arm()
  }

  #arm(): void {
    const { clock, intervalMs } = this.#options
    if (this.#place === null || intervalMs === null || this.#isAsking) return
    this.#cancel ??= clock.setTimer(intervalMs * (0.5 + clock.random()), () => {
      this.#cancel = null
      this.#check()
    })
  }

  #check(): void {
    const { doc, clock, settledSeq } = this.#options
    const seq = settledSeq()
    if (this.#place === null) return
    if (seq === null || clock.now() - this.#lastChangeAt < QUIET_MS) {
      this.#arm()
      return
    }
    this.#look(this.#place, seq, this.#changes, digestSteps(doc))
  }

  /** Computes the digest step by step; a change of the document is the end of it. */
  #look(place: Place, seq: number, changes: number, steps: ReturnType<typeof digestSteps>): void {
    const { done, value } = steps.next()
    if (done === true) {
      this.#ask(place, seq, changes, value)
      return
    }
    this.#cancel = this.#options.clock.setTimer(STEP_PAUSE_MS, () => {
      this.#cancel = null
      if (changes === this.#changes) this.#look(place, seq, changes, steps)
      else this.#arm()
    })
  }

  #ask(place: Place, seq: number, changes: number, digest: Uint8Array): void {
    const { settledSeq } = this.#options
    const request: CheckRequest = {
      epoch: place.epoch,
      seq,
      digest,
      ...(this.#hasHealed ? { healed: true } : {}),
    }
    this.#hasHealed = false
    this.#isAsking = true
    place.channel.request('check', [place.handle, request], (answer) => {
      if (this.#place !== place) return
      this.#isAsking = false
      const isStale = this.#changes !== changes || settledSeq() !== seq
      // Not ok: lost on the way, a server that does not know the question, or a membership that is ending.
      if (isStale || !answer.ok || answer.result === 'moved') this.#arm()
      else if (answer.result === 'different') this.#heal(place, answer)
    })
  }

  /** The server's copy is another one at the same place in the log. Both sides get what they lack. */
  #heal(place: Place, server: ServerState): void {
    const { doc, ledger, documentName, apply, handleWaiting, handleHealed, handleLost } =
      this.#options
    const difference = compareStates(doc, server)
    const { upload, message } = planHealing(doc, difference, place.access)
    const error =
      message === null ? null : new ProviderError('state-diverged', message, { documentName })
    // Looks once more, and tells the server then.
    this.#hasHealed ||= error !== null
    if (difference.isInStructs && error !== null) {
      ledger.markUnverified()
      handleLost(error)
      return
    }
    if (difference.missingHere.size > 0) apply([server.deletions])
    if (upload !== null) {
      ledger.add(upload)
      handleWaiting()
    }
    if (error === null) return
    this.#arm()
    handleHealed(error)
  }
}
