import type { DocumentHandle, Epoch, Refusal, SnapshotReference } from '../protocol/index.ts'
import type { Channel } from './channel.ts'
import type { NoAnswer } from './provider-error.ts'
import { noAnswer } from './read-answer.ts'
import { ChunkedDownload } from './chunked-download.ts'

export interface StateLoadHandlers {
  handleProgress(receivedBytes: number, totalBytes: number): void
  /** The bytes of the snapshot with this sequence number: what was offered, or an older one that was begun before. */
  handleLoaded(snapshot: Uint8Array, seq: number): void
  handleFailed(refused: Refusal | NoAnswer): void
}

/**
 * Loads a large document over as many connections as it takes. What was begun is finished as long as the server has it,
 * though a newer snapshot is offered by then: it costs the rest of it and the log since, not everything again.
 *
 * Progress never falls: bytes of a snapshot that went away stay counted as received, and the total grows by them.
 */
export class StateLoad {
  #download: ChunkedDownload | null = null
  /** Received of snapshots that were gone before they were complete. */
  #lostBytes = 0

  start(
    channel: Channel,
    handle: DocumentHandle,
    epoch: Epoch,
    offered: SnapshotReference,
    handlers: StateLoadHandlers,
  ): void {
    if (offered.bytes === 0 || offered.chunkBytes === 0) {
      handlers.handleFailed(noAnswer('the snapshot has no chunks'))
      return
    }
    if (this.#download?.epoch !== epoch) this.#forget()
    const download = (this.#download ??= new ChunkedDownload(epoch, offered))
    download.run(channel, handle, {
      handleProgress: () =>
        handlers.handleProgress(
          this.#lostBytes + download.receivedBytes,
          this.#lostBytes + download.totalBytes,
        ),
      handleLoaded: (snapshot) => handlers.handleLoaded(snapshot, download.reference.seq),
      handleFailed: (refused) => {
        if (refused.code === 'snapshot-replaced') {
          this.#forget()
          if (!download.isOf(epoch, offered)) {
            this.start(channel, handle, epoch, offered, handlers)
            return
          }
        }
        handlers.handleFailed(refused)
      },
    })
  }

  /** The connection is gone, or nobody waits any more. What has arrived is kept. */
  stop(): void {
    this.#download?.stop()
  }

  /** The document is there: the next load begins at nothing. Returns how many bytes it took. */
  finish(): number {
    this.stop()
    this.#forget()
    const bytes = this.#lostBytes
    this.#lostBytes = 0
    return bytes
  }

  #forget(): void {
    this.#lostBytes += this.#download?.receivedBytes ?? 0
    this.#download = null
  }
}
