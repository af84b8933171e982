import type { DocumentHandle, Epoch, Refusal, SnapshotReference } from '../protocol/index.ts'
import type { Channel } from './channel.ts'
import type { NoAnswer } from './provider-error.ts'
import { noAnswer } from './read-answer.ts'

/** Enough to fill a fast line across a slow round trip; little enough that a slow reader sets the pace. */
const OUTSTANDING_CHUNKS = 4

export interface SnapshotHandlers {
  handleProgress(receivedBytes: number, totalBytes: number): void
  handleLoaded(snapshot: Uint8Array): void
  handleFailed(refused: Refusal | NoAnswer): void
}

/** Fetches a large snapshot in chunks, several at a time. Returns what stops it. */
export function downloadSnapshot(
  channel: Channel,
  handle: DocumentHandle,
  epoch: Epoch,
  reference: SnapshotReference,
  handlers: SnapshotHandlers,
): () => void {
  const snapshot = new Uint8Array(reference.bytes)
  const chunks = Math.ceil(reference.bytes / reference.chunkBytes)
  let nextChunk = 0
  let receivedBytes = 0
  let isStopped = false

  const fail = (refused: Refusal | NoAnswer): void => {
    isStopped = true
    handlers.handleFailed(refused)
  }
  const requestNext = (): void => {
    if (nextChunk === chunks) return
    const chunk = nextChunk++
    const offset = chunk * reference.chunkBytes
    const size = Math.min(reference.chunkBytes, reference.bytes - offset)
    channel.request('pull', [handle, { epoch, snapshot: reference.seq, chunk }], (answer) => {
      if (isStopped) return
      if (!answer.ok) return fail(answer)
      const bytes = answer.updates[0]
      if (bytes?.length !== size) return fail(noAnswer(`chunk ${chunk} has the wrong length`))
      snapshot.set(bytes, offset)
      receivedBytes += size
      handlers.handleProgress(receivedBytes, reference.bytes)
      if (receivedBytes === reference.bytes) handlers.handleLoaded(snapshot)
      else requestNext()
    })
  }

  handlers.handleProgress(0, reference.bytes)
  if (!(reference.chunkBytes > 0) || chunks === 0) fail(noAnswer('the snapshot has no chunks'))
  else for (let index = 0; index < OUTSTANDING_CHUNKS; index++) requestNext()
  return () => {
    isStopped = true
  }
}
