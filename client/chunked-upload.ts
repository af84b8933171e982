import type { DocumentHandle } from '../protocol/index.ts'
import type { Channel } from './channel.ts'
import type { Outcome } from './wire.ts'

/** Enough to fill a fast line across a slow round trip; little enough that presence still gets a word in. */
const OUTSTANDING_CHUNKS = 4

export interface UploadHandlers {
  /** So much of it is on the server. Never less than before, over however many connections. */
  handleProgress(sentBytes: number, totalBytes: number): void
  /** Once: the outcome of the whole. */
  handleAnswer(outcome: Outcome<'update'>): void
}

/**
 * An update that is too large for one message, on its way to the server: its chunks in order, then the update that refers to
 * them. It outlives the connection; the next one asks up to where the server has it and goes on from there.
 */
export class ChunkedUpload {
  readonly update: Uint8Array
  /** The server keeps what it has under this name. */
  readonly #key: string
  #wasBegun = false
  /** The most that a server ever had of it; it may have less by now. */
  #sentBytes = 0
  /** Counts the connections; an answer to an earlier one is too late. */
  #run = 0

  constructor(update: Uint8Array, key: string) {
    this.update = update
    this.#key = key
  }

  run(
    channel: Channel,
    handle: DocumentHandle,
    chunkBytes: number,
    handlers: UploadHandlers,
  ): void {
    const run = ++this.#run
    const upload = channel.nextUpload()
    const size = this.update.length
    let offset = 0
    let outstanding = 0
    /** Asked once on each connection: a server that loses it again and again is told about by the refusal. */
    let mayAsk = true

    const finish = (outcome: Outcome<'update'>): void => {
      this.#run++
      handlers.handleAnswer(outcome)
    }
    const tellProgress = (received: number): void => {
      this.#sentBytes = Math.max(this.#sentBytes, received)
      handlers.handleProgress(this.#sentBytes, size)
    }
    const sendMore = (): void => {
      while (outstanding < OUTSTANDING_CHUNKS && offset < size) {
        const bytes = this.update.subarray(offset, offset + chunkBytes)
        sendChunk(offset, bytes)
        offset += bytes.length
      }
      // Only after the last answer: a refused chunk then ends in one refusal, not in two.
      if (offset === size && outstanding === 0)
        channel.request('update', [handle, { upload }], (outcome) => {
          if (this.#run === run) finish(outcome)
        })
    }
    let isLost = false
    const sendChunk = (at: number, bytes: Uint8Array): void => {
      outstanding++
      const request = { upload, offset: at, size, key: this.#key }
      channel.request('chunk', [handle, request, bytes], (answer) => {
        outstanding--
        if (this.#run !== run) return
        if (answer.ok) {
          // An answer to the question where to go on; never beyond the end, whatever it says.
          if (bytes.length === 0) offset = Math.min(answer.received, size)
          tellProgress(answer.received)
        } else if (answer.code === 'upload-lost' && (isLost || mayAsk)) {
          isLost = true
        } else {
          finish(answer)
        }
        if (this.#run !== run) return
        if (!isLost) sendMore()
        else if (outstanding === 0) {
          isLost = false
          ask()
        }
      })
    }
    const ask = (): void => {
      mayAsk = false
      sendChunk(0, NO_BYTES)
    }

    tellProgress(0)
    // Whoever hears of progress may have disconnected us.
    if (this.#run !== run) return
    if (this.#wasBegun) ask()
    else sendMore()
    this.#wasBegun = true
  }

  /** No answer is listened to any more. */
  stop(): void {
    this.#run++
  }
}

const NO_BYTES = new Uint8Array(0)
