import * as Y from 'yjs'
import { Fault } from './fault.ts'

/** What a document holds: the end of each client's clock, and what is deleted. */
export interface Holding {
  readonly clocks: ReadonlyMap<number, number>
  readonly deletes: Y.Snapshot['ds']
}

export function holdingOf(doc: Y.Doc): Holding {
  const { sv, ds } = Y.snapshot(doc)
  return { clocks: sv, deletes: ds }
}

/** How many updates were compared. */
export interface Checked {
  readonly acknowledged: number
  readonly seen: number
}

/**
 * What the server owes of one history of a document: every update that a writer was told is saved, every
 * update that somebody was shown. What was found in a restarted server is kept as a holding, so that the list stays
 * as short as one round.
 */
export class Ledger {
  /** The epoch as somebody was told it; null before. */
  epoch: string | null = null
  /** The highest sequence number that anybody was told. */
  highestSeq = 0
  #settled: Holding | null = null
  #acknowledged: Uint8Array[] = []
  #seen: Uint8Array[] = []
  /** Ends of clients' clocks that the provider was shown. */
  #seenClocks: ReadonlyMap<number, number>[] = []
  #seenRanges = new Set<string>()
  #roundStart = 0
  #entrySeqs = new Set<number>()

  /** A server with this head has answered: entries from here on are new. */
  begin(epoch: string, head: number): void {
    if (this.epoch !== null && this.epoch !== epoch)
      throw new Fault('epoch-changed', `the epoch was ${this.epoch} and is ${epoch}`)
    if (head < this.highestSeq)
      throw new Fault('sequence-went-back', `the head is ${head}; ${this.highestSeq} was told`)
    this.epoch = epoch
    this.highestSeq = head
    this.#roundStart = head
    this.#entrySeqs.clear()
  }

  addAcknowledged(update: Uint8Array, answer?: { seq: number; entry: boolean }): void {
    this.#acknowledged.push(update)
    if (answer === undefined) return
    this.highestSeq = Math.max(this.highestSeq, answer.seq)
    if (!answer.entry) return
    if (answer.seq <= this.#roundStart || this.#entrySeqs.has(answer.seq))
      throw new Fault('sequence-went-back', `entry ${answer.seq} was given a second time`)
    this.#entrySeqs.add(answer.seq)
  }

  /** `answer` is the body of the response. It does not tell whether the update became an entry. */
  addAcknowledgedOverHttp(update: Uint8Array, answer: string): void {
    const { seq } = JSON.parse(answer) as { seq: number }
    this.addAcknowledged(update, { seq, entry: false })
  }

  /** Several readers get the same relay; it is owed once. */
  addRelay(from: number, to: number, update: Uint8Array): void {
    this.highestSeq = Math.max(this.highestSeq, to)
    const range = `${from}-${to}`
    if (this.#seenRanges.has(range)) return
    this.#seenRanges.add(range)
    this.#seen.push(update)
  }

  addSeen(update: Uint8Array, seq = 0): void {
    this.highestSeq = Math.max(this.highestSeq, seq)
    this.#seen.push(update)
  }

  /**
   * What a Y.Doc has integrated from the server. Only the clocks: what Yjs deletes while integrating may be due to an edit
   * of this copy that the server does not have yet.
   */
  addIntegrated(update: Uint8Array): void {
    this.#seenClocks.push(Y.parseUpdateMeta(update).to)
  }

  /** Throws unless the document holds everything owed. */
  check(doc: Y.Doc): Checked {
    const holding = holdingOf(doc)
    if (this.#settled !== null && !holdsAll(holding, this.#settled))
      throw new Fault('acknowledged-lost', 'what an earlier restart had shown is missing')
    const lost = (updates: readonly Uint8Array[]): number =>
      updates.reduce((count, update) => count + (holdsUpdate(holding, update) ? 0 : 1), 0)
    const counts = {
      acknowledged: this.#acknowledged.length,
      seen: this.#seen.length + this.#seenClocks.length,
    }
    const lostAcknowledged = lost(this.#acknowledged)
    const lostSeen =
      lost(this.#seen) +
      this.#seenClocks.filter((clocks) => !holdsClocks(holding.clocks, clocks)).length
    if (lostAcknowledged > 0)
      throw new Fault(
        'acknowledged-lost',
        `${lostAcknowledged} of ${counts.acknowledged} acknowledged updates are missing` +
          ` (and ${lostSeen} of ${counts.seen} seen)`,
      )
    if (lostSeen > 0)
      throw new Fault('seen-lost', `${lostSeen} of ${counts.seen} seen updates are missing`)
    return counts
  }

  /** All of this document is on disk and was acknowledged. */
  settle(doc: Y.Doc): void {
    this.#settled = holdingOf(doc)
    this.#acknowledged = []
    this.#seen = []
    this.#seenClocks = []
    this.#seenRanges.clear()
  }
}

function holdsUpdate(holding: Holding, update: Uint8Array): boolean {
  const { structs, ds } = Y.decodeUpdate(update)
  for (const struct of structs) {
    if (struct instanceof Y.Skip) continue
    const { client, clock } = struct.id
    if ((holding.clocks.get(client) ?? 0) < clock + struct.length) return false
  }
  return holdsDeletes(holding.deletes, ds)
}

function holdsAll(holding: Holding, part: Holding): boolean {
  return holdsClocks(holding.clocks, part.clocks) && holdsDeletes(holding.deletes, part.deletes)
}

function holdsClocks(all: ReadonlyMap<number, number>, part: ReadonlyMap<number, number>): boolean {
  return [...part].every(([client, clock]) => (all.get(client) ?? 0) >= clock)
}

/** Ranges of both are ordered; those of `all` are merged where they touch. */
function holdsDeletes(all: Y.Snapshot['ds'], part: Y.Snapshot['ds']): boolean {
  for (const [client, ranges] of part.clients) {
    const known = all.clients.get(client) ?? []
    for (const { clock, len } of ranges) {
      if (len === 0) continue
      const at = lastStartingUpTo(known, clock)
      if (at === undefined || at.clock + at.len < clock + len) return false
    }
  }
  return true
}

interface Range {
  readonly clock: number
  readonly len: number
}

function lastStartingUpTo(ranges: readonly Range[], clock: number): Range | undefined {
  let low = 0
  let high = ranges.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((ranges[middle] as Range).clock <= clock) low = middle + 1
    else high = middle
  }
  return ranges[low - 1]
}
