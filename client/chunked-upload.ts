import type { DocumentHandle, UpdateAnswer } from '../protocol/index.ts'
import type { Channel } from './channel.ts'
import type { Outcome } from './wire.ts'

/** Enough to fill a fast line across a slow round trip; little enough that presence still gets a word in. */
const OUTSTANDING_CHUNKS = 4

/**
 * Sends an update that is too large for one message: its chunks in order, then the update that
 * refers to them. Answers once, with the outcome of the whole.
 */
export function uploadInChunks(
  channel: Channel,
  handle: DocumentHandle,
  update: Uint8Array,
  chunkBytes: number,
  handleAnswer: (outcome: Outcome<'update'>) => void,
): void {
  const upload = channel.nextUpload()
  const size = update.length
  let offset = 0
  let outstanding = 0
  let isOver = false

  const finish = (outcome: UpdateAnswer | Exclude<Outcome<'update'>, UpdateAnswer>): void => {
    if (isOver) return
    isOver = true
    handleAnswer(outcome)
  }
  const sendMore = (): void => {
    while (outstanding < OUTSTANDING_CHUNKS && offset < size) {
      const bytes = update.subarray(offset, offset + chunkBytes)
      outstanding++
      channel.request('chunk', [handle, { upload, offset, size }, bytes], (answer) => {
        outstanding--
        if (isOver) return
        if (!answer.ok) return finish(answer)
        sendMore()
      })
      offset += bytes.length
    }
    // Only after the last answer: a refused chunk then ends in one refusal, not in two.
    if (offset === size && outstanding === 0)
      channel.request('update', [handle, { upload }], finish)
  }
  sendMore()
}
