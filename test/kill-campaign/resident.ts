import { SocketIOProvider } from 'y-rooms/client'
import * as Y from 'yjs'
import type { CampaignDocument } from './campaign-document.ts'
import { paste, randomEdit } from './edits.ts'
import { Fault } from './fault.ts'
import type { Random } from './random.ts'

/** Soon after the door is open again it knocks. */
const MAX_BACKOFF_MS = 60

/** A provider of the client package that stays in a document while its server is killed and started again. */
export class Resident {
  readonly doc = new Y.Doc()
  readonly document: CampaignDocument
  readonly #provider: SocketIOProvider
  /** Made here, and not yet shown as saved. */
  #unsaved: Uint8Array[] = []
  #end: Error | null = null

  constructor(document: CampaignDocument, port: number) {
    const { ledger } = document.history
    this.document = document
    document.addWriter(this.doc)
    this.doc.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin === this.#provider) ledger.addIntegrated(update)
      else this.#unsaved.push(update)
    })
    this.#provider = new SocketIOProvider(`http://127.0.0.1:${port}`, document.name, this.doc, {
      awareness: null,
      maxBackoffTime: MAX_BACKOFF_MS,
      socketIo: { transports: ['websocket'], forceNew: true },
    })
    this.#provider.on('save-state', ({ state }) => {
      if (state !== 'saved') return
      for (const update of this.#unsaved) ledger.addAcknowledged(update)
      this.#unsaved = []
    })
    this.#provider.on('closed', ({ reason }) => {
      this.#end = new Fault('refused', `the provider was refused: ${reason}`)
    })
    this.#provider.on('rejected', ({ error }) => {
      this.#end = new Fault('refused', `an edit of the provider was refused: ${error.message}`)
    })
  }

  edit(random: Random): void {
    if (random.chance(0.02)) paste(this.doc, random, random.logInt(1000, 20_000))
    else randomEdit(this.doc, random)
  }

  /** In sync, everything saved, and shown so. */
  get isSettled(): boolean {
    if (this.#end !== null) throw this.#end
    const { synced, saveState } = this.#provider
    return synced && saveState === 'saved' && this.#unsaved.length === 0
  }

  /** For the message when it does not settle. */
  get state(): string {
    const { status, synced, saveState, unsyncedChanges } = this.#provider
    return JSON.stringify({
      status,
      synced,
      saveState,
      unsyncedChanges,
      unsaved: this.#unsaved.length,
    })
  }

  destroy(): void {
    this.#provider.destroy()
  }
}
