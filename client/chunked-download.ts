import type {
  ChunkPullRequest,
  DocumentHandle,
  Epoch,
  Refusal,
  SnapshotReference,
} from '../protocol/index.ts'
import type { Channel } from './channel.ts'
import type { NoAnswer } from './provider-error.ts'
import { noAnswer } from './read-answer.ts'

/** Enough to fill a fast line across a slow round trip; little enough that a slow reader sets the pace. */
const OUTSTANDING_CHUNKS = 4

export interface DownloadHandlers {
  /** At the start, and whenever more of it has arrived. */
  handleProgress(): void
  handleLoaded(snapshot: Uint8Array): void
  handleFailed(refused: Refusal | NoAnswer): void
}

/**
 * A large snapshot or log entry on its way here, chunk by chunk. It outlives the connection that brings it: what has arrived
 * is kept, and the next connection fetches only the rest.
 */
export class ChunkedDownload {
  readonly epoch: Epoch
  readonly reference: SnapshotReference
  readonly #kind: 'snapshot' | 'entry'
  readonly #bytes: Uint8Array
  readonly #missing = new Set<number>()
  #receivedBytes = 0
  /** Counts the connections; an answer to an earlier one is too late. */
  #run = 0

  constructor(epoch: Epoch, reference: SnapshotReference, kind: 'snapshot' | 'entry' = 'snapshot') {
    this.epoch = epoch
    this.#kind = kind
    this.reference = reference
    this.#bytes = new Uint8Array(reference.bytes)
    const chunks = Math.ceil(reference.bytes / reference.chunkBytes)
    for (let chunk = 0; chunk < chunks; chunk++) this.#missing.add(chunk)
  }

  get receivedBytes(): number {
    return this.#receivedBytes
  }

  get totalBytes(): number {
    return this.reference.bytes
  }

  isOf(epoch: Epoch, { seq, bytes, chunkBytes }: SnapshotReference): boolean {
    const { reference } = this
    return (
      epoch === this.epoch &&
      seq === reference.seq &&
      bytes === reference.bytes &&
      chunkBytes === reference.chunkBytes
    )
  }

  /** Fetches what is missing, several chunks at a time. */
  run(channel: Channel, handle: DocumentHandle, handlers: DownloadHandlers): void {
    const run = ++this.#run
    handlers.handleProgress()
    // Whoever hears of progress may have disconnected us.
    if (this.#run !== run) return
    if (this.#missing.size === 0) {
      handlers.handleLoaded(this.#bytes)
      return
    }
    const waiting = [...this.#missing]
    const requestNext = (): void => {
      const chunk = waiting.shift()
      if (chunk === undefined) return
      channel.request('pull', [handle, this.#request(chunk)], (answer) => {
        if (this.#run !== run) return
        if (!answer.ok || !this.#keep(chunk, answer.updates[0])) {
          this.stop()
          handlers.handleFailed(
            answer.ok ? noAnswer(`chunk ${chunk} has the wrong length`) : answer,
          )
          return
        }
        handlers.handleProgress()
        if (this.#run !== run) return
        if (this.#missing.size === 0) handlers.handleLoaded(this.#bytes)
        else requestNext()
      })
    }
    for (let index = 0; index < OUTSTANDING_CHUNKS; index++) requestNext()
  }

  /** No answer is listened to any more. */
  stop(): void {
    this.#run++
  }

  #request(chunk: number): ChunkPullRequest {
    const { epoch, reference } = this
    const { seq } = reference
    return this.#kind === 'entry' ? { epoch, entry: seq, chunk } : { epoch, snapshot: seq, chunk }
  }

  #keep(chunk: number, bytes: Uint8Array | undefined): boolean {
    const { reference } = this
    const offset = chunk * reference.chunkBytes
    if (bytes?.length !== Math.min(reference.chunkBytes, reference.bytes - offset)) return false
    this.#bytes.set(bytes, offset)
    this.#missing.delete(chunk)
    this.#receivedBytes += bytes.length
    return true
  }
}
