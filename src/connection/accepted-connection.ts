import type { Refusal } from '../../protocol/index.ts'
import { handleEvent, type ClientEvent } from './client-events.ts'
import type { Connection } from './connection.ts'
import { UpdateReceipt, type UpdateReply } from './update-receipt.ts'

/** A connection that was taken in, as whoever carries its messages sees it. */
export interface Accepted {
  /** Never throws. `answer` is called once, with what the event promises or with a refusal; null: nobody waits for it. */
  receive(
    event: ClientEvent,
    args: readonly unknown[],
    answer: ((value: unknown) => void) | null,
  ): void
  /** An `update` of bytes, as `receive`; the reply is told. */
  receiveUpdate(document: number, update: Uint8Array, reply: UpdateReply): void
  handleDisconnect(): void
}

/** What the connections of a gateway need of it: one object for all of them. */
export interface Door {
  /** Throws `server-closing`. */
  assertOpen(): void
  refusalOf(event: ClientEvent, error: unknown): Refusal
  readonly refusalOfUpdate: (error: unknown) => Refusal
  forget(connection: Connection): void
}

export class AcceptedConnection implements Accepted {
  readonly #connection: Connection
  readonly #door: Door

  constructor(connection: Connection, door: Door) {
    this.#connection = connection
    this.#door = door
  }

  receive(
    event: ClientEvent,
    args: readonly unknown[],
    answer: ((value: unknown) => void) | null,
  ): void {
    try {
      this.#door.assertOpen()
      const result = handleEvent(this.#connection, event, args)
      if (result instanceof Promise) this.#answerLater(event, result, answer)
      else answer?.(result)
    } catch (error) {
      answer?.(this.#door.refusalOf(event, error))
    }
  }

  #answerLater(
    event: ClientEvent,
    result: Promise<unknown>,
    answer: ((value: unknown) => void) | null,
  ): void {
    result
      .then((value) => answer?.(value))
      .catch((error: unknown) => answer?.(this.#door.refusalOf(event, error)))
  }

  receiveUpdate(document: number, update: Uint8Array, reply: UpdateReply): void {
    const receipt = new UpdateReceipt(reply, this.#door.refusalOfUpdate)
    try {
      this.#door.assertOpen()
      this.#connection.handleUpdateBytes(document, update, receipt)
    } catch (error) {
      receipt.handleRefused(error)
    }
  }

  handleDisconnect(): void {
    this.#door.forget(this.#connection)
    this.#connection.handleDisconnect()
  }
}
