import type { Refusal, UpdateAnswer } from '../../protocol/index.ts'
import type { Receipt } from '../document/open-document.ts'

/** Hears how an update ended, once. */
export interface UpdateReply {
  handleAccepted(seq: number, isEntry: boolean): void
  handleRefused(refusal: Refusal): void
}

/** Makes a refusal of whatever went wrong. An object instead of closures: there is one for each keystroke. */
export class UpdateReceipt implements Receipt {
  readonly #reply: UpdateReply
  readonly #refusalOf: (error: unknown) => Refusal

  constructor(reply: UpdateReply, refusalOf: (error: unknown) => Refusal) {
    this.#reply = reply
    this.#refusalOf = refusalOf
  }

  handleAccepted(seq: number, isEntry: boolean): void {
    this.#reply.handleAccepted(seq, isEntry)
  }

  handleRefused(error: unknown): void {
    this.#reply.handleRefused(this.#refusalOf(error))
  }
}

/** For an update whose answer is a promise: it was held, or a hook was asked. */
export function tellOutcome(outcome: UpdateAnswer | Promise<UpdateAnswer>, receipt: Receipt): void {
  Promise.resolve(outcome)
    .then(
      ({ seq, entry }) => receipt.handleAccepted(seq, entry),
      (error: unknown) => receipt.handleRefused(error),
    )
    // It throws only what the logger of the host has thrown at it; there is nobody else to tell.
    .catch(() => undefined)
}
