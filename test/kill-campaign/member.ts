import type { JoinAnswer, Limits, PullAnswer, Refusal, UpdateAnswer } from 'y-rooms/protocol'
import * as Y from 'yjs'
import { applyJoin, type RawClient } from '../support/raw-client.ts'
import { Fault } from './fault.ts'
import type { Ledger } from './ledger.ts'

/** What came from the server carries this origin. */
const FROM_SERVER = 'from the server'

interface Relay {
  readonly from: number
  readonly to: number
  readonly update: Uint8Array
}

/** One Y.Doc in a document of the server, through one connection after the other. It keeps its cursor across kills. */
export class Member {
  readonly doc = new Y.Doc()
  /** Another one when the document turns out to have been deleted. */
  ledger: Ledger
  readonly name: string
  /** Everything up to here is in `doc`. */
  #position = 0
  #ownSeqs = new Set<number>()
  #client: RawClient | null = null
  #handle = 0
  #limits: Limits | null = null
  /** Relays that came before the join was done with. */
  #early: Relay[] | null = null
  #nextUpload = 1

  constructor(name: string, ledger: Ledger) {
    this.name = name
    this.ledger = ledger
  }

  get position(): number {
    return this.#position
  }

  /** Enters the document: with a cursor when it was there before. The answer is applied. */
  async join(client: RawClient): Promise<JoinAnswer> {
    const { epoch } = this.ledger
    const cursor = epoch === null || this.#position === 0 ? {} : { epoch, seq: this.#position }
    this.#client = client
    // Handles of an earlier server stand for other documents now.
    this.#handle = 0
    this.#early = []
    this.#ownSeqs.clear()
    const answer = await this.#askToJoin(client, {
      ...cursor,
      stateVector: Y.encodeStateVector(this.doc),
    })
    if (!answer.ok) throw refused('join', answer)
    await applyJoin(client, this.doc, answer)
    this.#position = Math.max(this.#position, answer.head)
    const early = this.#early ?? []
    this.#early = null
    for (const relay of early) this.#take(relay)
    return answer
  }

  handleRelay(handle: number, from: number, to: number, update: Uint8Array): void {
    if (handle !== this.#handle) return
    const relay = { from, to, update: new Uint8Array(update) }
    this.ledger.addRelay(from, to, relay.update)
    if (this.#early === null) this.#take(relay)
    else this.#early.push(relay)
  }

  /** Sends an update, in chunks if it is large. Resolves with the answer; rejects when the connection is lost. */
  async send(update: Uint8Array): Promise<UpdateAnswer | Refusal> {
    const client = this.#client as RawClient
    // Socket.IO would keep it for the next connection, and there is none.
    if (!client.socket.connected) throw new Error('the connection is lost')
    const { chunkBytes } = this.#limits as Limits
    const answer = await (update.length <= chunkBytes
      ? client.update(this.#handle, update)
      : this.#sendInChunks(client, update, chunkBytes))
    if (answer.ok) {
      if (answer.entry) this.#ownSeqs.add(answer.seq)
      this.ledger.addAcknowledged(update, answer)
      this.#advance()
    }
    return answer
  }

  #sendInChunks(
    client: RawClient,
    update: Uint8Array,
    chunkBytes: number,
  ): Promise<UpdateAnswer | Refusal> {
    const upload = this.#nextUpload++
    const size = update.length
    for (let offset = 0; offset < size; offset += chunkBytes)
      client.socket.emit(
        'chunk',
        this.#handle,
        { upload, offset, size },
        update.subarray(offset, offset + chunkBytes),
      )
    return client.request<UpdateAnswer>('update', this.#handle, { upload })
  }

  /** The handle is known before the next packet is read: a relay may follow in the same turn. */
  #askToJoin(client: RawClient, cursor: object): Promise<JoinAnswer | Refusal> {
    const request = {
      document: this.name,
      clientId: this.doc.clientID,
      key: `key-of-client-${this.doc.clientID}-padding`,
      ...cursor,
    }
    return new Promise((resolve, reject) => {
      const handleAnswer = (error: Error | null, answer: JoinAnswer | Refusal): void => {
        if (error !== null) {
          reject(error)
          return
        }
        if (answer.ok) {
          this.#handle = answer.document
          this.#limits = answer.limits
        }
        resolve(answer)
      }
      client.socket.timeout(20_000).emit('join', request, handleAnswer)
    })
  }

  #take({ from, to, update }: Relay): void {
    Y.applyUpdate(this.doc, update, FROM_SERVER)
    this.#advance()
    if (from <= this.#position + 1) {
      this.#position = Math.max(this.#position, to)
      this.#advance()
    } else void this.#fillHole().catch(() => undefined)
  }

  #advance(): void {
    while (this.#ownSeqs.delete(this.#position + 1)) this.#position++
  }

  async #fillHole(): Promise<void> {
    const epoch = this.ledger.epoch as string
    const page = await (this.#client as RawClient).pull(this.#handle, {
      epoch,
      after: this.#position,
    })
    if (!page.ok) return
    const { updates, seq } = page as PullAnswer
    for (const update of updates) Y.applyUpdate(this.doc, new Uint8Array(update), FROM_SERVER)
    this.#position = Math.max(this.#position, seq)
  }
}

export function refused(request: string, { code, message }: Refusal): Fault {
  return new Fault('refused', `${request} was refused: ${code}, ${message}`)
}
