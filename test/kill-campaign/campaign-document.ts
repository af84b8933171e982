import * as Y from 'yjs'
import { contentOf } from './edits.ts'
import { Fault } from './fault.ts'
import { holdingOf, Ledger, type Holding } from './ledger.ts'
import { Member } from './member.ts'

/**
 * - `none`: nobody asked for it.
 * - `asked`: the request is on its way; the document may be whole or gone.
 * - `told`: it was acknowledged.
 */
type Deletion = 'none' | 'asked' | 'told'

const WRITERS = 2

/** One history of a document: from its first join to its deletion. */
export interface History {
  readonly ledger: Ledger
  readonly writers: readonly Member[]
  /** Writes nothing, and joins anew after each restart. */
  reader: Member
  /** Writes over HTTP, and hears of nobody. */
  readonly httpDoc: Y.Doc
  deletion: Deletion
}

/** A document of an episode, under one name through all its histories. */
export class CampaignDocument {
  readonly name: string
  readonly formerEpochs = new Set<string>()
  history: History
  /** The client ids that ever wrote in the present history, with the Y.Doc that knows their last clock. */
  readonly #others: Y.Doc[] = []

  constructor(name: string) {
    this.name = name
    this.history = this.#newHistory()
  }

  /** The deletion has taken effect: whatever comes now is another document. */
  beginHistory(): History {
    const { epoch } = this.history.ledger
    if (epoch !== null) this.formerEpochs.add(epoch)
    this.#others.length = 0
    this.history = this.#newHistory()
    return this.history
  }

  addWriter(doc: Y.Doc): void {
    this.#others.push(doc)
  }

  /** Throws when a document holds what nobody has written into this history. */
  assertOwnContent(doc: Y.Doc): void {
    const { writers, httpDoc } = this.history
    const authors = [...writers.map((writer) => writer.doc), httpDoc, ...this.#others]
    const written = new Map(authors.map((author) => [author.clientID, author]))
    for (const [client, clock] of Y.snapshot(doc).sv) {
      const author = written.get(client)
      if (author === undefined || Y.getState(author.store, client) < clock)
        throw new Fault('foreign-content', `client ${client} did not write up to clock ${clock}`)
    }
  }

  #newHistory(): History {
    const ledger = new Ledger()
    return {
      ledger,
      writers: Array.from({ length: WRITERS }, () => new Member(this.name, ledger)),
      reader: new Member(this.name, ledger),
      httpDoc: new Y.Doc(),
      deletion: 'none',
    }
  }
}

/** What is remembered of a document that is left alone for the rest of its episode. */
export interface RetiredDocument {
  readonly name: string
  readonly epoch: string
  readonly seq: number
  readonly holding: Holding
  readonly content: string
}

export function retire({ name, history }: CampaignDocument): RetiredDocument {
  const { reader, ledger } = history
  return {
    name,
    epoch: ledger.epoch as string,
    seq: ledger.highestSeq,
    holding: holdingOf(reader.doc),
    content: contentOf(reader.doc),
  }
}

export function assertWhole(doc: Y.Doc, where: string): void {
  if (doc.store.pendingStructs !== null || doc.store.pendingDs !== null)
    throw new Fault('not-whole', `${where} has a hole: Yjs could not integrate all of it`)
}
