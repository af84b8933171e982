import type { DocumentHandle, Epoch, SnapshotReference } from '../protocol/index.ts'
import type { Channel } from './channel.ts'
import { ChunkedDownload, type DownloadHandlers } from './chunked-download.ts'
import { noAnswer } from './read-answer.ts'

export interface EntryLoadHandlers extends Omit<DownloadHandlers, 'handleProgress'> {
  handleProgress(receivedBytes: number, totalBytes: number): void
}

/**
 * Reads log entries that are too large for one message, one after the other, over as many connections as it takes. What has arrived of one
 * is not asked for again.
 *
 * Until all is here (`finish`), progress counts what came before too, so that it never falls.
 */
export class EntryLoad {
  #download: ChunkedDownload | null = null
  #earlierBytes = 0
  #isRunning = false

  start(
    channel: Channel,
    handle: DocumentHandle,
    epoch: Epoch,
    entry: SnapshotReference,
    { handleProgress, handleLoaded, handleFailed }: EntryLoadHandlers,
  ): void {
    if (entry.bytes === 0 || entry.chunkBytes === 0) {
      handleFailed(noAnswer('the entry has no chunks'))
      return
    }
    if (this.#download?.isOf(epoch, entry) !== true) {
      this.add(this.#download?.receivedBytes ?? 0)
      this.#download = new ChunkedDownload(epoch, entry, 'entry')
    }
    const download = this.#download
    this.#isRunning = true
    download.run(channel, handle, {
      handleProgress: () =>
        handleProgress(
          this.#earlierBytes + download.receivedBytes,
          this.#earlierBytes + download.totalBytes,
        ),
      handleLoaded: (update) => {
        this.add(update.length)
        this.#download = null
        this.#isRunning = false
        handleLoaded(update)
      },
      handleFailed: (refused) => {
        this.#isRunning = false
        handleFailed(refused)
      },
    })
  }

  /** So much of the document has come in another way. */
  add(bytes: number): void {
    this.#earlierBytes += bytes
  }

  /** The connection is gone. What has arrived is kept. */
  stop(): void {
    this.#isRunning = false
    this.#download?.stop()
  }

  /** All that there was is here: what comes now is news, and its progress begins at nothing. */
  finish(): void {
    if (this.#isRunning) return
    this.#download = null
    this.#earlierBytes = 0
  }
}
