import { DocumentError } from '../errors.ts'

/** What some work may take in memory together. One alone may take more: it would never find room otherwise. */
export class ByteBudget {
  readonly #maxBytes: number
  #held = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  open(): HeldBytes {
    let own = 0
    return {
      add: (bytes) => {
        if (this.#held + bytes > this.#maxBytes && this.#held > own)
          throw new DocumentError(
            'too-many-requests',
            'too much is under way at this moment; come back',
            {
              limit: 'maxHttpBodyBytes',
            },
          )
        own += bytes
        this.#held += bytes
      },
      release: () => {
        this.#held -= own
        own = 0
      },
    }
  }
}

export interface HeldBytes {
  /** Throws `too-many-requests`, and counts nothing then. */
  add(bytes: number): void
  /** What was added is in memory no longer. More than once is as good as once. */
  release(): void
}
