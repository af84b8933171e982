import type { Clock } from '../clock.ts'
import type { OpenDocument, OpenDocumentOptions } from './open-document.ts'
import type { PresenceChange, PresenceOptions, PresenceOwner } from './presence.ts'

/** What the presence of a document must know of it. Methods, not closures in an object of its own: those took 200 bytes more of each document. */
export class PresenceOfDocument implements PresenceOptions {
  readonly #options: OpenDocumentOptions
  readonly #document: OpenDocument

  constructor(options: OpenDocumentOptions, document: OpenDocument) {
    this.#options = options
    this.#document = document
  }

  get clock(): Clock {
    return this.#options.clock
  }

  get intervalMs(): number {
    return this.#options.presenceIntervalMs
  }

  get refreshMs(): number {
    return this.#options.presenceRefreshMs
  }

  get maxStateBytes(): number {
    return this.#options.maxPresenceBytes
  }

  get maxDocumentBytes(): number {
    return this.#options.maxPresenceBytesPerDocument
  }

  send(update: Uint8Array, except: PresenceOwner | null): void {
    this.#document.room.sendPresence(update, except)
  }

  memberCount(): number {
    return this.#document.claims.size
  }

  handleChange(...change: PresenceChange): void {
    this.#options.onPresence?.(this.#document.name, ...change)
  }
}
