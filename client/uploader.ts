import {
  refusal,
  type DocumentHandle,
  type JoinAnswer,
  type Refusal,
  type UpdateAnswer,
} from '../protocol/index.ts'
import type { Backoff } from './backoff.ts'
import type { Channel } from './channel.ts'
import { ChunkedUpload } from './chunked-upload.ts'
import { newSecret } from './client-key.ts'
import type { CancelTimer, Clock } from './clock.ts'
import type { PendingPiece } from './pending-buffer.ts'
import type { NoAnswer } from './provider-error.ts'
import type { SaveLedger } from './save-ledger.ts'
import type { Outcome } from './wire.ts'

/**
 * Messages on their way at one time. At 30 keystrokes a second it hides half a second of round trip;
 * beyond it keystrokes are merged into fewer messages, which is cheaper for everybody.
 */
const WINDOW = 16
/** Nobody has edited for this long: somebody who takes a paste back that was too large has done so. */
const QUIET_MS = 2000

interface UploaderOptions {
  readonly channel: Channel
  readonly handle: DocumentHandle
  readonly limits: JoinAnswer['limits']
  /** What the server had at the join. */
  readonly stateVector: Uint8Array
  readonly ledger: SaveLedger
  readonly clock: Clock
  readonly backoff: Backoff
  /** Durable. Comes before the ledger lets go of the piece. */
  readonly handleSaved: (answer: UpdateAnswer) => void
  readonly handleRejected: (refused: Refusal) => void
  /** A large update is on the server so far. */
  readonly handleProgress: (sentBytes: number, totalBytes: number) => void
  /** The two sides have lost each other: join again. */
  readonly handleLost: (refused: Refusal | NoAnswer) => void
}

/** Brings local changes to the server during one membership of a document. */
export class Uploader {
  readonly #options: UploaderOptions
  #access: JoinAnswer['access']
  #isStopped = false
  #isScheduled = false
  /** Later messages would overtake an update that goes in chunks. */
  #endUpload: (() => void) | null = null
  #cancelPause: CancelTimer | null = null
  #cancelLook: CancelTimer | null = null

  constructor(options: UploaderOptions, access: JoinAnswer['access']) {
    this.#options = options
    this.#access = access
  }

  /** Sends what waits once the present turn is over, so that its changes become one message. */
  schedule(): void {
    if (this.#isStopped) return
    this.#lookAgain()
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.#options.clock.afterTurn(() => {
      this.#isScheduled = false
      this.flush()
    })
  }

  /** From here on we may write, or not any more. */
  setAccess(access: JoinAnswer['access']): void {
    this.#access = access
    this.flush()
  }

  flush(): void {
    const { ledger, limits } = this.#options
    if (this.#access === 'read') {
      // What is on its way may have arrived while we could still write: the answer tells.
      if (!this.#isStopped && ledger.unsyncedChanges > 0 && ledger.inFlight === 0)
        this.#options.handleRejected(refusal('read-only', 'this document is open for reading only'))
      return
    }
    while (this.#canSend()) {
      const piece = ledger.take(limits.updateBytes)
      if (piece === null) return
      this.#send(piece)
    }
  }

  /** The membership is over. What was on its way waits in the ledger again. */
  stop(): void {
    this.#isStopped = true
    this.#endUpload?.()
    this.#endUpload = null
    this.#cancelPause?.()
    this.#cancelPause = null
    this.#cancelLook?.()
    this.#cancelLook = null
    this.#options.ledger.putAllBack()
  }

  /** After a refusal for size each change may be the one that makes it fit, an undo as a rule. */
  #lookAgain(): void {
    const { ledger, clock, stateVector, limits } = this.#options
    if (ledger.rejection?.code !== 'update-too-large') return
    // By its own word the server should have taken it. The next join asks again.
    if (ledger.fits(limits.updateBytes)) return
    this.#cancelLook?.()
    this.#cancelLook = clock.setTimer(QUIET_MS, () => {
      this.#cancelLook = null
      ledger.resumeIfFits(stateVector, limits.updateBytes)
      this.flush()
    })
  }

  #canSend(): boolean {
    return (
      !this.#isStopped &&
      this.#endUpload === null &&
      this.#cancelPause === null &&
      this.#options.ledger.inFlight < WINDOW
    )
  }

  #send(piece: PendingPiece): void {
    const { channel, handle, limits } = this.#options
    const bytes = piece.update.length
    if (bytes > limits.updateBytes) {
      const message = `an update may have ${limits.updateBytes} bytes, this one has ${bytes}`
      this.#handleAnswer(piece, refusal('update-too-large', message))
    } else if (bytes > limits.chunkBytes) {
      piece.upload ??= new ChunkedUpload(piece.update, newSecret())
      this.#upload(piece, piece.upload)
    } else {
      channel.request('update', [handle, piece.update], (outcome) =>
        this.#handleAnswer(piece, outcome),
      )
    }
  }

  #upload(piece: PendingPiece, upload: ChunkedUpload): void {
    const { channel, handle, limits, handleProgress } = this.#options
    const turn = channel.uploadTurns.newTurn(() =>
      upload.run(channel, handle, limits.chunkBytes, {
        handleProgress,
        handleAnswer: (outcome) => {
          this.#endUpload?.()
          this.#endUpload = null
          this.#handleAnswer(piece, outcome)
        },
      }),
    )
    this.#endUpload = () => {
      upload.stop()
      turn.leave()
    }
    turn.enter()
  }

  #handleAnswer(piece: PendingPiece, outcome: Outcome<'update'>): void {
    if (this.#isStopped) return
    const { ledger, backoff, handleSaved, handleRejected, handleLost } = this.#options
    if (outcome.ok) {
      backoff.handleSuccess()
      handleSaved(outcome)
      ledger.confirm(piece)
      this.flush()
      return
    }
    ledger.putBack(piece)
    if (outcome.code === 'no-answer') return handleLost(outcome)
    switch (outcome.retry) {
      case 'never':
      case 'reauth':
        return handleRejected(outcome)
      case 'backoff':
        return this.#pause()
      case 'resync':
        // While paused this is the echo of the refusal before it: what followed builds on what was refused.
        if (this.#cancelPause === null) handleLost(outcome)
    }
  }

  #pause(): void {
    if (this.#cancelPause !== null) return
    const { clock, backoff } = this.#options
    this.#cancelPause = clock.setTimer(backoff.nextPauseMs(), () => {
      this.#cancelPause = null
      this.flush()
    })
  }
}
