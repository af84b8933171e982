import * as Y from 'yjs'
import { edit } from './random-edit.ts'

/** Numbers from a seed (mulberry32), so that a failing case is its seed. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed | 0
  }

  /** A whole number from 0 up to, not including, this. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit)
  }

  chance(share: number): boolean {
    return this.below(1000) < share * 1000
  }

  pick<Choice>(choices: readonly Choice[]): Choice {
    return choices[this.below(choices.length)] as Choice
  }
}

/**
 * Some replicas that edit and a server that relays, as in production: an edit reaches the other
 * replicas only through the server, in its order, at any later time.
 */
export class RandomWorld {
  readonly random: Random
  /** The document as the server's log has it. */
  readonly server: Y.Doc
  readonly #replicas: { doc: Y.Doc; inbox: Uint8Array[]; outbox: Uint8Array[] }[] = []

  constructor(seed: number, replicas = 3) {
    this.random = new Random(seed)
    this.server = new Y.Doc({ gc: this.random.chance(0.7) })
    for (let index = 0; index < replicas; index++) this.#addReplica()
  }

  /** Lets somebody edit, and returns an update that is sent to the server, in one of Yjs's ways. */
  nextUpdate(): Uint8Array {
    const { random } = this
    for (;;) {
      const replica = random.pick(this.#replicas)
      const delivered = random.below(replica.inbox.length + 1)
      for (const update of replica.inbox.splice(0, delivered)) Y.applyUpdate(replica.doc, update)
      for (let edits = 1 + random.below(4); edits > 0; edits--)
        replica.doc.transact(() => {
          for (let steps = 1 + random.below(3); steps > 0; steps--) edit(replica.doc, random)
        })
      if (replica.outbox.length === 0 || random.chance(0.3)) continue
      return this.#send(replica)
    }
  }

  /** The server has logged this update and relays it. */
  accept(update: Uint8Array): void {
    Y.applyUpdate(this.server, update)
    for (const replica of this.#replicas) replica.inbox.push(update)
  }

  #addReplica(): void {
    const replica = {
      doc: new Y.Doc({ gc: this.random.chance(0.7) }),
      inbox: [] as Uint8Array[],
      outbox: [] as Uint8Array[],
    }
    // Small and large ids; large ones take several bytes, as in production.
    replica.doc.clientID =
      this.#replicas.length * 100 + this.random.below(this.random.chance(0.5) ? 100 : 2 ** 31)
    replica.doc.on('update', (update: Uint8Array, _origin: unknown, _doc: Y.Doc, transaction) => {
      if (transaction.local) replica.outbox.push(update)
    })
    this.#replicas.push(replica)
  }

  #send(replica: { doc: Y.Doc; outbox: Uint8Array[] }): Uint8Array {
    const { random } = this
    // A format clean-up is a local transaction inside a remote one, and so part of the outbox too.
    const way = random.below(5)
    const sent = way === 0 ? replica.outbox.splice(0, 1) : replica.outbox.splice(0)
    const known = Y.encodeStateVector(this.server)
    if (way <= 1) return sent.length === 1 ? (sent[0] as Uint8Array) : Y.mergeUpdates(sent)
    if (way === 2) return Y.encodeStateAsUpdate(replica.doc, known)
    if (way === 3) return Y.encodeStateAsUpdate(replica.doc)
    return Y.diffUpdate(Y.mergeUpdates(sent), known)
  }
}
