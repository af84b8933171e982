interface Turn {
  /** Begins when nobody else's turn is, at once if that is now. */
  enter(): void
  /** Ends the turn, or the waiting for it. Idempotent. */
  leave(): void
}

/**
 * Large uploads of one connection take turns: side by side they would not be faster, and each would claim memory of the
 * server until the last of them is through.
 */
export class UploadTurns {
  /** The first of them has its turn. */
  readonly #queue: (() => void)[] = []

  newTurn(begin: () => void): Turn {
    return {
      enter: () => {
        if (this.#queue.push(begin) === 1) begin()
      },
      leave: () => {
        const position = this.#queue.indexOf(begin)
        if (position >= 0) this.#queue.splice(position, 1)
        if (position === 0) this.#queue[0]?.()
      },
    }
  }
}
