import * as Y from 'yjs'
import { SocketIOProvider, type Clock, type ProviderError } from '../../client/index.ts'
import { edit } from '../update/random-edit.ts'
import { Random } from '../update/random-world.ts'
import { missingFrom, type Books } from './books.ts'
import type { ClientNetwork } from './network.ts'

export interface EditorOptions {
  readonly client: string
  readonly document: string
  readonly clientId: number
  /** Its edits would be refused; it makes none. */
  readonly isReader: boolean
  readonly network: ClientNetwork
  readonly clock: Clock
  readonly books: Books
  readonly handleFault: (fault: string) => void
  /** Whether the history of this document may end. */
  readonly isEnding: (document: string) => boolean
  /** Whether a number in the log stands for one entry. After a restored backup it may stand for two, until the self-check. */
  readonly isNumbered: () => boolean
}

const MAX_BACKOFF_MS = 2000

/** One tab: a Y.Doc, and the provider that keeps it in sync. */
export class Editor {
  readonly doc = new Y.Doc()
  readonly document: string
  readonly #options: EditorOptions
  #provider: SocketIOProvider
  /** Why the server ended it for good. */
  ended: ProviderError | null = null

  constructor(options: EditorOptions) {
    this.#options = options
    this.document = options.document
    this.doc.clientID = options.clientId
    this.#provider = this.#open()
  }

  get provider(): SocketIOProvider {
    return this.#provider
  }

  get isAtRest(): boolean {
    const { synced, saveState, hasUnsyncedChanges } = this.#provider
    return synced && saveState === 'saved' && !hasUnsyncedChanges
  }

  get isReader(): boolean {
    return this.#options.isReader
  }

  describe(): string {
    const { status, synced, saveState, unsyncedChanges } = this.#provider
    return `${this.#options.client}/${this.document}: ${status}, synced ${synced}, ${saveState}, ${unsyncedChanges} unsynced`
  }

  edit(seed: number, edits: number): void {
    if (this.isReader) return
    const random = new Random(seed)
    for (let count = 0; count < edits; count++) this.doc.transact(() => edit(this.doc, random))
  }

  paste(bytes: number): void {
    if (this.isReader) return
    const text = this.doc.getText('pasted')
    text.insert(text.length, 'lorem ipsum '.repeat(Math.ceil(bytes / 12)))
  }

  move(seed: number): void {
    this.#provider.awareness.setLocalStateField('cursor', seed)
  }

  reopen(): void {
    this.#provider.destroy()
    this.#provider = this.#open()
  }

  close(): void {
    this.#provider.destroy()
    this.doc.destroy()
  }

  #open(): SocketIOProvider {
    const { network, clock, client, document, handleFault, isEnding } = this.#options
    const provider = new SocketIOProvider('http://server.simulated', document, this.doc, {
      network: network.connect,
      clock,
      maxBackoffTime: MAX_BACKOFF_MS,
    })
    provider.on('save-state', ({ state }) => {
      // Everything in it was acknowledged, or came from the server.
      if (state === 'saved') this.#owe(Y.encodeStateAsUpdate(this.doc))
    })
    provider.on('sync', (isSynced) => {
      if (isSynced && this.#options.isNumbered()) this.#checkSynced()
    })
    provider.on('error', (error) => {
      if (error.code === 'apply-failed')
        handleFault(`${client} could not apply an update: ${String(error.cause)}`)
      // Nothing but a restored backup explains it; whatever the self-check finds otherwise is a fault, and be it its own.
      if (error.code === 'state-diverged' && this.#options.isNumbered())
        handleFault(`${client}/${document}: ${error.message}`)
    })
    provider.on('rejected', ({ error }) => {
      // The document was deleted; its end for this editor is on its way.
      if (error.code !== 'document-reset' || !isEnding(document))
        handleFault(`${client} had an edit rejected: ${error.code}`)
    })
    provider.on('closed', () => {
      this.ended = provider.getSnapshot().error
    })
    return provider
  }

  #owe(update: Uint8Array): void {
    const { books, clientId, document } = this.#options
    const epoch = books.epochOf(clientId, document)
    if (epoch !== undefined) books.owe(document, epoch, update)
  }

  /** Whoever is told that it is in sync has what was there before it asked. */
  #checkSynced(): void {
    const { books, clientId, document, handleFault } = this.#options
    const copy = new Y.Doc()
    Y.applyUpdate(copy, Y.encodeStateAsUpdate(this.doc))
    const missing = missingFrom(copy, books.owedTo(clientId, document))
    copy.destroy()
    if (missing !== null) handleFault(`${this.describe()}: in sync too early, it lacks ${missing}`)
  }
}
