/**
 * Up to where this client has the log of a document, without a hole: what the server sent, and the
 * client's own entries, whose numbers it learns from their acknowledgements.
 */
export class UpdateCursor {
  #seq: number
  #highest: number
  /** Own entries above a hole: their acknowledgements overtook the relays of others' earlier ones. */
  readonly #ahead = new Set<number>()

  constructor(seq: number) {
    this.#seq = seq
    this.#highest = seq
  }

  /** Everything up to here is applied. */
  get seq(): number {
    return this.#seq
  }

  /** The client has heard of entries that it does not have. */
  get isBehind(): boolean {
    return this.#highest > this.#seq
  }

  /** True if a message that starts here leaves no hole. */
  connects(from: number): boolean {
    return from <= this.#seq + 1
  }

  /** Everything up to `seq` is applied now. */
  advance(seq: number): void {
    if (seq > this.#seq) this.#seq = seq
    this.#closeGaps()
  }

  /** This single entry is applied, whatever lies between. */
  handleEntry(seq: number): void {
    if (seq > this.#seq) this.#ahead.add(seq)
    this.#closeGaps()
  }

  /** The log reaches at least up to here; the client may lack it. */
  handleHint(seq: number): void {
    if (seq > this.#highest) this.#highest = seq
  }

  #closeGaps(): void {
    while (this.#ahead.delete(this.#seq + 1)) this.#seq++
    for (const seq of this.#ahead) {
      if (seq <= this.#seq) this.#ahead.delete(seq)
      else this.handleHint(seq)
    }
    this.handleHint(this.#seq)
  }
}
