import type * as Y from 'yjs'

interface DocumentChangesOptions {
  readonly doc: Y.Doc
  /** What the server sent has this origin: it is there already, and durable. */
  readonly isFromServer: (origin: unknown) => boolean
  /** We are in the document, and may not change it. */
  readonly isReadOnly: () => boolean
  /** We are in the document: what is applied now from elsewhere is news for the server too. */
  readonly isLive: () => boolean
  /** True for changes that somebody else accounts for. */
  readonly isTaken: (origin: unknown) => boolean
  readonly handlers: {
    /** Others' changes, applied. */
    handleRemote(update: Uint8Array): void
    /** To be saved. */
    handleLocal(update: Uint8Array): void
    /** Loaded from elsewhere (a database, a peer). Mostly the server has it: the join will tell. */
    handleUnverified(): void
    handleDestroy(): void
  }
}

/** Sorts what happens in a Y.Doc by what it means for the server. */
export class DocumentChanges {
  readonly #options: DocumentChangesOptions

  constructor(options: DocumentChangesOptions) {
    this.#options = options
    const { doc } = options
    doc.on('afterTransaction', this.#handleTransaction)
    doc.on('update', this.#handleUpdate)
    doc.on('destroy', options.handlers.handleDestroy)
  }

  /** Whether a change needs to be sent by nobody: it is the server's own. */
  isConfirmed(origin: unknown): boolean {
    return this.#options.isFromServer(origin)
  }

  stop(): void {
    const { doc, handlers } = this.#options
    doc.off('afterTransaction', this.#handleTransaction)
    doc.off('update', this.#handleUpdate)
    doc.off('destroy', handlers.handleDestroy)
  }

  readonly #handleUpdate = (
    update: Uint8Array,
    origin: unknown,
    _doc: Y.Doc,
    transaction: Y.Transaction,
  ): void => {
    const { handlers, isFromServer, isTaken, isLive } = this.#options
    if (isFromServer(origin)) handlers.handleRemote(update)
    else if (isTaken(origin)) return
    else if (!transaction.local && !isLive()) handlers.handleUnverified()
    else handlers.handleLocal(update)
  }

  readonly #handleTransaction = (transaction: Y.Transaction): void => {
    // What a reader's Yjs would tidy up nobody else hears of: what is written between two such marks later would look different here.
    if (this.#options.isReadOnly()) leaveMarks(transaction)
  }
}

/** Yjs asks after this event whether to remove marks without effect, as edits of this client. The field is not public; a test holds it. */
function leaveMarks(transaction: Y.Transaction & { _needFormattingCleanup?: boolean }): void {
  transaction._needFormattingCleanup = false
}
