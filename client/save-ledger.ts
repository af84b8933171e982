import type * as Y from 'yjs'
import { CHUNK_BYTES, mergeAsTree } from '../protocol/index.ts'
import { PendingBuffer, type PendingPiece } from './pending-buffer.ts'
import type { ProviderError } from './provider-error.ts'
import { coversMissing, encodeIntegrated, encodeRemaining } from './upload-plan.ts'

/**
 * Merging in Yjs leaves every keystroke a struct of its own, 11 bytes; the document joins them to runs
 * of text, and drops what was deleted. From this many changes on it is worth a look.
 */
const COMPACT_FROM_CHANGES = 256

/**
 * Which local changes the server has not yet confirmed as durable: those that wait, those that are
 * on their way, and those that it refused. Nothing leaves it but by a durable acknowledgement.
 */
export class SaveLedger {
  readonly #doc: Y.Doc
  readonly #handleChange: () => void
  readonly #waiting = new PendingBuffer()
  readonly #inFlight = new Set<PendingPiece>()
  /** The document may hold what the server lacks and what is not in the buffer: compare at the next join. */
  #isUnverified = false
  /** What is stored on this device has not been read yet, and may hold what the server lacks. */
  #isUnread = false
  #rejection: ProviderError | null = null

  constructor(doc: Y.Doc, handleChange: () => void) {
    this.#doc = doc
    this.#handleChange = handleChange
  }

  /** How many local changes have no durable acknowledgement. Unverified content counts as one. */
  get unsyncedChanges(): number {
    let count = this.#waiting.changes + (this.#isUnverified || this.#isUnread ? 1 : 0)
    for (const piece of this.#inFlight) count += piece.changes
    return count
  }

  get inFlight(): number {
    return this.#inFlight.size
  }

  /** Why the server takes nothing more from this document, or null. */
  get rejection(): ProviderError | null {
    return this.#rejection
  }

  add(update: Uint8Array): void {
    this.#waiting.add({ update, changes: 1 })
    this.#handleChange()
  }

  markUnverified(): void {
    if (this.#isUnverified) return
    this.#isUnverified = true
    this.#handleChange()
  }

  /** There is a copy on this device, which is being read. Counts as one change: nobody knows yet. */
  markUnread(): void {
    this.#isUnread = true
    this.#handleChange()
  }

  /** The copy is read. `pending` is what it had unconfirmed: older than everything that waits. */
  handleRead(pending: PendingPiece | null): void {
    this.#isUnread = false
    if (pending !== null) this.#waiting.putBack(pending)
    this.#handleChange()
  }

  /** The oldest waiting changes that fit in a message of this size, at least one; null if there is nothing to send. */
  take(maxBytes: number): PendingPiece | null {
    if (this.#rejection !== null) return null
    const piece = this.#waiting.take(maxBytes)
    if (piece !== null) this.#inFlight.add(piece)
    return piece
  }

  confirm(piece: PendingPiece): void {
    if (this.#inFlight.delete(piece)) this.#handleChange()
  }

  putBack(piece: PendingPiece): void {
    if (this.#inFlight.delete(piece)) this.#waiting.putBack(piece)
  }

  /** The connection is gone: what was on its way may or may not have arrived, so all of it waits again. */
  putAllBack(): void {
    for (const piece of [...this.#inFlight].reverse()) this.putBack(piece)
  }

  /** The server will never take this. The bytes are kept; nothing more is sent, since later changes build on it. */
  reject(error: ProviderError): void {
    if (this.#rejection !== null) return
    this.#rejection = error
    this.#handleChange()
  }

  /** The reason for the refusal may be gone (access was granted): sends again. */
  resume(): void {
    if (this.#rejection === null) return
    this.#rejection = null
    this.#handleChange()
  }

  /**
   * After a join, with the server's state applied: makes the buffer hold exactly what the server
   * lacks. Usually it already does. Where it does not (content from before the provider, a server
   * that lost its tail), the difference is taken from the document. A server takes `maxBytes` at once.
   */
  reconcile(serverStateVector: Uint8Array, maxBytes = Infinity): void {
    const pending = this.#waiting.peek()
    const isExact = !this.#isUnverified && coversMissing(this.#doc, serverStateVector, pending)
    const isMuch =
      this.#waiting.changes >= COMPACT_FROM_CHANGES || (pending?.length ?? 0) > CHUNK_BYTES
    if (isExact && !isMuch) return
    const update = encodeIntegrated(this.#doc, serverStateVector)
    if (isExact && !this.#isBetter(update, pending, maxBytes)) return
    this.#replaceWaiting(update)
    this.#handleChange()
  }

  #replaceWaiting(update: Uint8Array | null): void {
    const changes = Math.max(1, this.#waiting.changes)
    this.#isUnverified = false
    this.#waiting.clear()
    if (update !== null) this.#waiting.add({ update, changes })
  }

  /** Whether each of the waiting changes fits in a message of this size. */
  fits(maxBytes: number): boolean {
    return !this.#isUnverified && this.#waiting.largestBytes <= maxBytes
  }

  /**
   * Something was refused for its size: sends again if the server takes more by now, or if what remains of it is smaller, since it was
   * deleted or undone.
   */
  resumeIfFits(serverStateVector: Uint8Array, maxBytes: number): void {
    if (this.#rejection?.code !== 'update-too-large') return
    if (!this.fits(maxBytes)) {
      const update = encodeRemaining(this.#doc, serverStateVector)
      if (update === null || update.length > maxBytes) return
      this.#replaceWaiting(update)
    }
    this.resume()
  }

  /** Whether what the document says of the changes that wait should be sent in their place. */
  #isBetter(update: Uint8Array | null, pending: Uint8Array | null, maxBytes: number): boolean {
    // What still waits for structs of others is in the buffer only.
    if (update === null || pending === null || this.#doc.store.pendingStructs !== null) return false
    if (update.length > maxBytes && this.#waiting.largestBytes <= maxBytes) return false
    // A part of it has been sent already; it is given up only where it had arrived whole.
    if (this.#waiting.hasUpload) return update.length < pending.length / 2
    return update.length < pending.length
  }

  /** For a reader: content that the server may well have is no reason to speak of a refused edit. */
  reconcileReadOnly(serverStateVector: Uint8Array): void {
    if (!this.#waiting.isEmpty || !coversMissing(this.#doc, serverStateVector, null)) {
      this.reconcile(serverStateVector)
    } else if (this.#isUnverified) {
      this.#isUnverified = false
      this.#handleChange()
    }
  }

  /** Everything unconfirmed as one Yjs update, or null. Unverified content is included whole. */
  pendingUpdate(): Uint8Array | null {
    const waiting = this.#isUnverified ? encodeIntegrated(this.#doc) : null
    const pending = this.#waiting.peek()
    const updates = [...this.#inFlight].map((piece) => piece.update)
    if (pending !== null) updates.push(pending)
    if (waiting !== null) updates.push(waiting)
    return updates.length === 0 ? null : mergeAsTree(updates)
  }
}
