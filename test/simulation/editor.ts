import * as Y from 'yjs'
import {
  IndexedDBPersistence,
  SocketIOProvider,
  type Clock,
  type ProviderError,
  type SaveState,
} from '../../client/index.ts'
import { knownEpoch } from '../../client/known-epochs.ts'
import { edit } from '../update/random-edit.ts'
import { Random } from '../update/random-world.ts'
import { missingFrom, type Books } from './books.ts'
import type { Page } from './browser/page.ts'
import type { ClientNetwork } from './network.ts'

export interface EditorOptions {
  readonly client: string
  readonly document: string
  readonly clientId: number
  /** Its edits would be refused; it makes none. */
  readonly isReader: boolean
  readonly network: ClientNetwork
  readonly clock: Clock
  /** Null: there is no browser. */
  readonly page: Page | null
  readonly keepsCopy: boolean
  readonly books: Books
  readonly handleFault: (fault: string) => void
  /** Whether the history of this document may end. */
  readonly isEnding: (document: string) => boolean
  /** Whether a number in the log stands for one entry. After a restored backup it may stand for two, until the self-check. */
  readonly isNumbered: () => boolean
  /** It edits, and does not know yet which history of the document that will be in. */
  readonly handleUnboundEdit: () => void
  /** Whether the self-check may find something. */
  readonly mayDiverge: () => boolean
}

const MAX_BACKOFF_MS = 2000

/** One tab: a Y.Doc, and the provider that keeps it in sync. */
export class Editor {
  readonly doc = new Y.Doc()
  readonly document: string
  readonly #options: EditorOptions
  /** Edits made here that nobody has called saved yet. */
  readonly #unsaved: Uint8Array[] = []
  #provider: SocketIOProvider
  /** Why the server ended it for good. */
  ended: ProviderError | null = null
  /** Its page is gone: what it says is heard by nobody. */
  #isAbandoned = false

  constructor(options: EditorOptions) {
    this.#options = options
    this.document = options.document
    this.doc.clientID = options.clientId
    if (options.page !== null) this.doc.on('update', this.#collect)
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
    this.#noteUnbound()
    const random = new Random(seed)
    for (let count = 0; count < edits; count++) this.doc.transact(() => edit(this.doc, random))
  }

  paste(bytes: number): void {
    if (this.isReader) return
    this.#noteUnbound()
    const text = this.doc.getText('pasted')
    text.insert(text.length, 'lorem ipsum '.repeat(Math.ceil(bytes / 12)))
  }

  #noteUnbound(): void {
    const { url, name } = this.#provider
    if (knownEpoch(this.doc, url, name) === null) this.#options.handleUnboundEdit()
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

  /** The page has died: only what it holds in this process is given back. */
  abandon(): void {
    this.#isAbandoned = true
    this.close()
  }

  /** What is kept here belongs to a history that is over. Resolves when the next one may begin. */
  async setAside(): Promise<void> {
    const { persistence } = this.#provider
    if (persistence instanceof IndexedDBPersistence) await persistence.setAside()
  }

  readonly #collect = (
    update: Uint8Array,
    _origin: unknown,
    _doc: Y.Doc,
    transaction: Y.Transaction,
  ): void => {
    if (transaction.local) this.#unsaved.push(update)
  }

  #handleSaveState(state: SaveState): void {
    const { page, document, books } = this.#options
    if (this.#isAbandoned) return
    // Everything in it was acknowledged, or came from the server.
    if (state === 'saved' && page === null) this.#owe([Y.encodeStateAsUpdate(this.doc)])
    // Other pages have brought the rest, and see to it.
    if (state === 'saved' && page !== null) this.#owe(this.#unsaved.splice(0))
    if (state === 'saved-locally') books.promise(document, this.#unsaved)
  }

  #open(): SocketIOProvider {
    const { network, clock, client, document, handleFault, isEnding, page } = this.#options
    const keepsCopy = page !== null && this.#options.keepsCopy
    const provider = new SocketIOProvider('http://server.simulated', document, this.doc, {
      network: network.connect,
      clock,
      maxBackoffTime: MAX_BACKOFF_MS,
      tabs: page?.openTabPort,
      persistence: keepsCopy
        ? (name, doc) => new IndexedDBPersistence(page.databaseName(name), doc, { clock })
        : null,
    })
    provider.on('save-state', ({ state }) => this.#handleSaveState(state))
    provider.on('sync', (isSynced) => {
      if (isSynced && this.#options.isNumbered()) this.#checkSynced()
    })
    provider.on('error', (error) => {
      if (error.code === 'apply-failed')
        handleFault(`${client} could not apply an update: ${String(error.cause)}`)
      // Nothing but a restored backup, or a tab that died, explains it; whatever the self-check finds otherwise is a fault, and be it its own.
      if (error.code === 'state-diverged' && !this.#options.mayDiverge())
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

  #owe(updates: readonly Uint8Array[]): void {
    const { books, clientId, document } = this.#options
    const epoch = books.epochOf(clientId, document)
    if (epoch !== undefined) for (const update of updates) books.owe(document, epoch, update)
  }

  /** Whoever is told that it is in sync has what was there before it asked. */
  #checkSynced(): void {
    const { books, clientId, document, handleFault, page } = this.#options
    if (page !== null) {
      // What another page has posted may wait for what it builds on, until that is uploaded.
      const snapshot = Y.snapshot(this.doc)
      const owed = books.owedTo(clientId, document)
      if (!owed.every((update) => Y.snapshotContainsUpdate(snapshot, update)))
        handleFault(`${this.describe()}: in sync too early`)
      return
    }
    const copy = new Y.Doc()
    Y.applyUpdate(copy, Y.encodeStateAsUpdate(this.doc))
    const missing = missingFrom(copy, books.owedTo(clientId, document))
    copy.destroy()
    if (missing !== null) handleFault(`${this.describe()}: in sync too early, it lacks ${missing}`)
  }
}
