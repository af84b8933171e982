import {
  applyAwarenessUpdate,
  encodeAwarenessUpdate,
  removeAwarenessStates,
  type Awareness,
} from 'y-protocols/awareness'
import { callListener } from './observable.ts'

interface AwarenessChange {
  readonly added: readonly number[]
  readonly updated: readonly number[]
  readonly removed: readonly number[]
}

interface TabPresenceOptions {
  readonly awareness: Awareness
  /** The origin of awareness changes that tabs sent. */
  readonly origin: object
  /** The server tells of this client itself. */
  readonly isOfServer: (clientId: number) => boolean
  readonly post: (clientId: number, update: Uint8Array) => void
}

/** Presence among tabs: each says its own state and no other. What the server says of a client goes before. */
export class TabPresence {
  readonly #options: TabPresenceOptions
  /** The client of each tab. */
  readonly #clients = new Map<string, number>()

  constructor(options: TabPresenceOptions) {
    this.#options = options
  }

  start(): void {
    this.#options.awareness.on('update', this.#handleUpdate)
  }

  /** Forgets every tab. */
  stop(): void {
    this.#options.awareness.off('update', this.#handleUpdate)
    for (const tab of [...this.#clients.keys()]) this.handleGone(tab)
  }

  /** Says who we are to tabs that do not know us. */
  announce(): void {
    const { awareness, post } = this.#options
    const { clientID, meta } = awareness
    // What the application announces may be no JSON.
    if (meta.has(clientID))
      callListener(() => post(clientID, encodeAwarenessUpdate(awareness, [clientID])))
  }

  /** A tab is known to be this client, and stays so if the server loses sight of it. */
  has(clientId: number): boolean {
    return [...this.#clients.values()].includes(clientId)
  }

  handle(tab: string, clientId: number, update: Uint8Array): void {
    const { awareness, origin, isOfServer } = this.#options
    if (clientId === awareness.clientID) return
    this.#clients.set(tab, clientId)
    if (!isOfServer(clientId)) callListener(() => applyAwarenessUpdate(awareness, update, origin))
  }

  handleGone(tab: string): void {
    const { awareness, origin, isOfServer } = this.#options
    const clientId = this.#clients.get(tab)
    this.#clients.delete(tab)
    if (clientId === undefined || this.has(clientId) || isOfServer(clientId)) return
    callListener(() => removeAwarenessStates(awareness, [clientId], origin))
    awareness.meta.delete(clientId)
  }

  readonly #handleUpdate = ({ added, updated, removed }: AwarenessChange): void => {
    const { clientID } = this.#options.awareness
    if ([added, updated, removed].some((ids) => ids.includes(clientID))) this.announce()
  }
}
