/**
 * Up to where this client has the log of a document, without a hole: what the server sent, and the
 * client's own entries, whose numbers it learns from their acknowledgements.
 */
export class UpdateCursor {
  #seq: number
  #highest: number
  /** Own entries above a hole: acknowledgements overtake relays of others' earlier entries. */
  readonly #own = new Set<number>()

  constructor(seq: number) {
    this.#seq = seq
    this.#highest = seq
  }

  /** Everything up to here is applied. */
  get seq(): number {
    return this.#seq
  }

  /** The log reaches at least up to here. */
  get highest(): number {
    return this.#highest
  }

  /** There are entries that the client does not have. */
  get isBehind(): boolean {
    return this.#highest > this.#seq
  }

  /** True if a message that starts here leaves no hole. */
  connects(from: number): boolean {
    return from <= this.#seq + 1
  }

  /** The entries `from` to `to`, which connect, are applied. */
  handleRange(from: number, to: number): void {
    if (this.connects(from) && to > this.#seq) this.#seq = to
    this.#closeGaps()
  }

  /** An update of our own is durable: it became this entry, or changed nothing when the log ended there. */
  handleAcknowledged(seq: number, isEntry: boolean): void {
    if (isEntry && seq > this.#seq) this.#own.add(seq)
    this.handleHint(seq)
    this.#closeGaps()
  }

  /** The log reaches at least up to here; the client may lack it. */
  handleHint(seq: number): void {
    if (seq > this.#highest) this.#highest = seq
  }

  #closeGaps(): void {
    while (this.#own.delete(this.#seq + 1)) this.#seq++
    for (const seq of this.#own) if (seq <= this.#seq) this.#own.delete(seq)
    this.handleHint(this.#seq)
  }
}
