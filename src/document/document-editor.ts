import * as Y from 'yjs'
import { mergeAsTree } from '../../protocol/index.ts'
import { DocumentError } from '../errors.ts'
import type { Storage } from '../storage/storage.ts'
import type { Lease } from './document-registry.ts'
import type { Listener } from './room.ts'
import { readOpen, wholeSnapshot } from './stored-document.ts'
import type { UpdateMessage } from './update-message.ts'

/**
 * An editor inside the server: a Y.Doc that goes the same way as a client's edits (check, log, relay).
 * It is the one place outside the workers where the server holds a Y.Doc, because the application asked for one.
 */
export class DocumentEditor implements Listener {
  readonly #lease: Lease
  readonly #storage: Storage
  readonly #onEnded: (editor: DocumentEditor) => void
  #doc: Y.Doc | null = null
  #position = 0
  /** Transactions run one after the other, each on top of the one before. */
  #tail: Promise<unknown> = Promise.resolve()
  #ended: DocumentError | null = null

  constructor(lease: Lease, storage: Storage, onEnded: (editor: DocumentEditor) => void) {
    this.#lease = lease
    this.#storage = storage
    this.#onEnded = onEnded
    lease.document.room.add(this)
  }

  get name(): string {
    return this.#lease.document.name
  }

  /**
   * Changes the document and resolves with what `change` returned once that is durable. When it rejects (the
   * storage failed, the document was deleted, `change` threw), nothing of the change is in the document.
   */
  transact<Result>(change: (doc: Y.Doc) => Result): Promise<Result> {
    return this.#inTurn(async () => {
      const doc = await this.#upToDate()
      const updates: Uint8Array[] = []
      const keep = (update: Uint8Array): number => updates.push(update)
      doc.on('update', keep)
      try {
        const result = doc.transact(() => change(doc), this)
        if (result instanceof Promise)
          throw new TypeError('a change must be synchronous: read first, then call transact')
        // Observers may have made transactions of their own.
        if (updates.length > 0)
          await this.#lease.document.accept(mergeAsTree(updates), { origin: this, userId: null })
        return result
      } catch (error) {
        // Yjs cannot take a transaction back; a fresh copy does not have it.
        this.#forget()
        throw error
      } finally {
        doc.off('update', keep)
      }
    })
  }

  /** Reads the document as it is now. The Y.Doc is for the duration of the call, and not to be changed. */
  read<Result>(view: (doc: Y.Doc) => Result): Promise<Result> {
    return this.#inTurn(async () => view(await this.#upToDate()))
  }

  /** Waits for transactions under way and lets the document go. Idempotent. */
  async close(): Promise<void> {
    await this.#tail.catch(() => undefined)
    this.#end(new DocumentError('not-joined', 'this editor is closed'))
  }

  handleUpdate(message: UpdateMessage): void {
    if (this.#doc === null || message.to <= this.#position) return
    if (message.from > this.#position + 1) {
      this.#forget()
      return
    }
    if (message.origin !== this) Y.applyUpdate(this.#doc, message.update, this)
    this.#position = message.to
  }

  handleSkipped(): void {
    this.#forget()
  }

  handlePresence(): void {
    // An editor inside the server has no cursor to show and nobody to show others to.
  }

  handleEnd(error: DocumentError): void {
    this.#end(error)
  }

  #inTurn<Result>(task: () => Promise<Result>): Promise<Result> {
    const run = this.#tail.then(async () => {
      if (this.#ended !== null) throw this.#ended
      return task()
    })
    this.#tail = run.catch(() => undefined)
    return run
  }

  async #upToDate(): Promise<Y.Doc> {
    const { document } = this.#lease
    await document.whenLoaded()
    if (this.#doc !== null && this.#position >= document.recent.since) {
      // What is durable but waits for the next relay.
      for (const entry of document.recent.after(this.#position))
        if (entry.origin !== this) Y.applyUpdate(this.#doc, entry.update, this)
      this.#position = document.head
      return this.#doc
    }
    this.#forget()
    const seq = document.head
    const parts = await readOpen(this.#storage, document, seq, wholeSnapshot).catch(
      (error: unknown) => {
        if (error instanceof DocumentError && error.code === 'snapshot-replaced') return null
        throw error
      },
    )
    // The document knows by now, and reads its head again first.
    if (parts === null) return this.#upToDate()
    const doc = new Y.Doc()
    doc.transact(() => {
      if (parts.snapshot !== null) Y.applyUpdate(doc, parts.snapshot)
      for (const update of parts.updates) Y.applyUpdate(doc, update)
    }, this)
    // What was committed while we read: still in memory, unless very much was.
    if (seq < document.recent.since) return this.#upToDate()
    for (const entry of document.recent.after(seq)) Y.applyUpdate(doc, entry.update, this)
    this.#position = document.head
    this.#doc = doc
    return doc
  }

  #forget(): void {
    this.#doc?.destroy()
    this.#doc = null
  }

  #end(error: DocumentError): void {
    if (this.#ended !== null) return
    this.#ended = error
    this.#forget()
    this.#lease.document.room.remove(this)
    this.#lease.release()
    this.#onEnded(this)
  }
}
