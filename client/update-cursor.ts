/**
 * Up to where this client has the log of a document, without a hole: what the server sent, and the
 * client's own entries, whose numbers it learns from their acknowledgements.
 *
 * Not every acknowledgement names an entry of one's own: an update without effect (somebody else
 * deleted the same) is acknowledged with the head. So there are two positions. `seq` is certain and
 * goes into the next join. `reach` believes every acknowledgement, which is right nearly always, and
 * decides whether a message leaves a hole; a `pull` from `seq` settles the difference now and then.
 */
export class UpdateCursor {
  #seq: number
  #reach: number
  #highest: number
  /** Acknowledged above a hole: acknowledgements overtake relays of others' earlier entries. */
  readonly #believed = new Set<number>()
  /** Those of them, and of what lies between `seq` and `reach`, that are certain. */
  readonly #certain = new Set<number>()

  constructor(seq: number) {
    this.#seq = seq
    this.#reach = seq
    this.#highest = seq
  }

  /** Everything up to here is applied, certainly. */
  get seq(): number {
    return this.#seq
  }

  /** The log reaches at least up to here. */
  get highest(): number {
    return this.#highest
  }

  /** There are entries that the client does not have. */
  get isBehind(): boolean {
    return this.#highest > this.#reach
  }

  /** The client believes to have more than it can be certain of. */
  get isUncertain(): boolean {
    return this.#reach > this.#seq
  }

  /** True if a message that starts here leaves no hole. */
  connects(from: number): boolean {
    return from <= this.#reach + 1
  }

  /** The entries `from` to `to`, which connect, are applied. */
  handleRange(from: number, to: number): void {
    if (from <= this.#seq + 1 && to > this.#seq) this.#seq = to
    if (to > this.#reach) this.#reach = to
    this.#closeGaps()
  }

  /** An update of our own became this entry; or, if that is not certain, may have had no effect. */
  handleAcknowledged(seq: number, isCertain: boolean): void {
    if (seq > this.#reach) this.#believed.add(seq)
    if (isCertain && seq > this.#seq) this.#certain.add(seq)
    this.handleHint(seq)
    this.#closeGaps()
  }

  /** The log reaches at least up to here; the client may lack it. */
  handleHint(seq: number): void {
    if (seq > this.#highest) this.#highest = seq
  }

  #closeGaps(): void {
    while (this.#certain.delete(this.#seq + 1)) this.#seq++
    if (this.#reach < this.#seq) this.#reach = this.#seq
    while (this.#believed.delete(this.#reach + 1)) this.#reach++
    for (const seq of this.#certain) if (seq <= this.#seq) this.#certain.delete(seq)
    for (const seq of this.#believed) if (seq <= this.#reach) this.#believed.delete(seq)
    this.handleHint(this.#reach)
  }
}
