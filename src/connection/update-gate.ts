import { DocumentError } from '../errors.ts'

/** Updates that wait for a hook: as much as a paste of some size, beside one that may be larger. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024
/** What a waiting update keeps alive beside its bytes. */
const UPDATE_OVERHEAD_BYTES = 1024

/** Lets the updates of one session pass one after the other, in their order: they build on each other. */
export class UpdateGate {
  #tail: Promise<unknown> = Promise.resolve()
  #waitingBytes = 0

  /** Runs the task when those before it have ended, however they did. */
  async pass<Result>(bytes: number, task: () => Promise<Result>): Promise<Result> {
    const heldBytes = bytes + UPDATE_OVERHEAD_BYTES
    if (this.#waitingBytes > 0 && this.#waitingBytes + heldBytes > MAX_WAITING_BYTES)
      throw new DocumentError('too-many-requests', 'wait for answers before sending more')
    this.#waitingBytes += heldBytes
    const turn = this.#tail.then(task)
    this.#tail = turn.catch(() => undefined)
    try {
      return await turn
    } finally {
      this.#waitingBytes -= heldBytes
    }
  }
}
