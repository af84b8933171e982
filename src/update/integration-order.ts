/** The structs of one client in an update, all read. */
export interface Section {
  readonly client: number
  /** The client's clock once every struct of this section is integrated. */
  readonly reached: number
}

/**
 * Finds out whether Yjs could integrate all structs of an update, or would park some for ever.
 *
 * Yjs takes each client's structs in order; one whose origin or parent belongs to another client
 * waits until that client's clock is past it. What the document already has is never a reason to
 * wait, so only the waits on clients of the same update are recorded here, in the order in which
 * they are read. They form a graph: a wait ends after the one before it in its own section, and
 * after the last wait of the other section that comes before the struct it needs. All waits end if
 * and only if this graph has no cycle.
 */
export class IntegrationOrder {
  readonly #sections: number[] = []
  readonly #starts: number[] = []
  readonly #clients: number[] = []
  readonly #clocks: number[] = []

  get waits(): number {
    return this.#starts.length
  }

  /** The struct of the section with this index that starts at `start` needs `(client, clock)`. */
  addWait(section: number, start: number, client: number, clock: number): void {
    this.#sections.push(section)
    this.#starts.push(start)
    this.#clients.push(client)
    this.#clocks.push(clock)
  }

  /** Why some struct would wait for ever, or null. The sections' clients descend strictly. */
  fault(sections: readonly Section[]): string | null {
    const waits = this.waits
    const sectionStarts = this.#sectionStarts(sections.length)
    // Each wait follows at most one wait of another section: a list of followers for each wait.
    const firstFollower = new Int32Array(waits).fill(-1)
    const nextFollower = new Int32Array(waits).fill(-1)
    const open = new Uint8Array(waits)
    for (let wait = 0; wait < waits; wait++) {
      const needed = findSection(sections, this.#clients[wait] as number)
      const clock = this.#clocks[wait] as number
      if (needed < 0 || clock >= (sections[needed] as Section).reached)
        return `it refers to ${this.#clients[wait]}:${clock}, which is unknown`
      if (this.#followsNeighbour(wait)) open[wait] = 1
      const before = this.#lastWaitUpTo(
        clock,
        sectionStarts[needed] as number,
        sectionStarts[needed + 1] as number,
      )
      if (before < 0) continue
      open[wait] = (open[wait] as number) + 1
      nextFollower[wait] = firstFollower[before] as number
      firstFollower[before] = wait
    }
    return this.#endsAll(open, firstFollower, nextFollower)
      ? null
      : 'its structs depend on one another in a circle'
  }

  #followsNeighbour(wait: number): boolean {
    return wait > 0 && this.#sections[wait] === this.#sections[wait - 1]
  }

  /** For each section the index of its first wait, and one more as the end of the last. */
  #sectionStarts(sections: number): Int32Array {
    const starts = new Int32Array(sections + 1)
    for (const section of this.#sections) starts[section + 1] = (starts[section + 1] as number) + 1
    for (let section = 0; section < sections; section++)
      starts[section + 1] = (starts[section + 1] as number) + (starts[section] as number)
    return starts
  }

  /** The last wait in [from, to) whose struct starts at or before this clock, or -1. */
  #lastWaitUpTo(clock: number, from: number, to: number): number {
    let low = from
    let high = to
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#starts[middle] as number) <= clock) low = middle + 1
      else high = middle
    }
    return low > from ? low - 1 : -1
  }

  /** Ends every wait that follows nothing, then those that followed only it, and so on. */
  #endsAll(open: Uint8Array, firstFollower: Int32Array, nextFollower: Int32Array): boolean {
    const waits = this.waits
    const queue = new Int32Array(waits)
    let queued = 0
    for (let wait = 0; wait < waits; wait++) if (open[wait] === 0) queue[queued++] = wait
    const release = (wait: number): void => {
      open[wait] = (open[wait] as number) - 1
      if (open[wait] === 0) queue[queued++] = wait
    }
    for (let ended = 0; ended < queued; ended++) {
      const wait = queue[ended] as number
      if (wait + 1 < waits && this.#followsNeighbour(wait + 1)) release(wait + 1)
      for (
        let follower = firstFollower[wait] as number;
        follower >= 0;
        follower = nextFollower[follower] as number
      )
        release(follower)
    }
    return queued === waits
  }
}

/** The index of a client's section, or -1. */
export function findSection(sections: readonly Section[], client: number): number {
  let low = 0
  let high = sections.length - 1
  while (low <= high) {
    const middle = (low + high) >>> 1
    const found = (sections[middle] as Section).client
    if (found === client) return middle
    if (found > client) low = middle + 1
    else high = middle - 1
  }
  return -1
}
