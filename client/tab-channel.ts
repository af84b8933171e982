import * as Y from 'yjs'
import type { Awareness } from 'y-protocols/awareness'
import type { Epoch } from '../protocol/index.ts'
import { applyUpdates } from './apply-updates.ts'
import { newSecret } from './client-key.ts'
import type { CancelTimer, Clock } from './clock.ts'
import { onPageLife } from './page-life.ts'
import { ProviderError } from './provider-error.ts'
import {
  readTabMessage,
  writeTabMessage,
  type TabMessage,
  type TabMessageBody,
  type TabStanding,
} from './tab-message.ts'
import type { OpenTabPort, TabPort } from './tab-port.ts'
import { TabPresence } from './tab-presence.ts'
import { TabQuestions } from './tab-questions.ts'
import { isEmptyDocument } from './upload-plan.ts'

/** Half of the time after which y-protocols takes somebody for gone. */
const PING_INTERVAL_MS = 15_000
/** A tab is gone that did not answer so many pings of ours. Not counted in time: browsers slow hidden tabs down, us too. */
const MAX_MISSED_PINGS = 2

interface Peer extends TabStanding {
  missedPings: number
}

interface TabChannelOptions {
  readonly doc: Y.Doc
  readonly documentName: string
  readonly awareness: Awareness
  readonly clock: Clock
  /** Null: there are no tabs. */
  readonly openPort: OpenTabPort | null
  /** The name under which the tabs meet. Asked whenever it may have changed. */
  readonly scopeName: () => string
  readonly standing: () => TabStanding
  /** What we hold may be given to others, and theirs may come in: not for one who only reads, or whose copy has diverged. */
  readonly mayShare: () => boolean
  /** It is time to ask other tabs for content. */
  readonly mayAsk: () => boolean
  /** Somebody else brings this change to the tabs: the server, or a database that they share. */
  readonly isKnownToTabs: (origin: unknown) => boolean
  readonly isOfServer: (clientId: number) => boolean
  readonly handlers: {
    /** What follows belongs to this history; ours was not known. */
    handleEpoch(epoch: Epoch): void
    /** A tab that was to upload its changes may not have done so. */
    handleAbandoned(): void
    /** What a tab sent is in the document only as far as it fits: the rest waits there, and shows in no change. */
    handleWaiting(update: Uint8Array): void
    /** A tab closed or fell silent, or we hear no tab any more. */
    handleGone(): void
    /** `isWaiting` may have changed. */
    handleStanding(): void
    /** Everything that other tabs were to store in the database that we share is in there. */
    handleStoredElsewhere(): void
    handleError(error: ProviderError): void
  }
}

/**
 * Shows the edits and the presence of other tabs of this browser, and ours to them, with or without a server. Whose edit it is
 * uploads it; if that tab cannot, or goes, those that have its edits do. It is the origin of what it applies.
 */
export class TabChannel {
  readonly #options: TabChannelOptions
  readonly #id = newSecret()
  readonly #peers = new Map<string, Peer>()
  readonly #presence: TabPresence
  readonly #questions: TabQuestions
  #port: TabPort | null = null
  #scopeName = ''
  #told: TabStanding & { readonly mayShare: boolean } = NOTHING_TOLD
  #isDue = false
  #cancelPing: CancelTimer | null = null
  #stopPageLife: (() => void) | null = null
  /** Content of a tab waits in our document for something that it builds on, and that we lack. */
  #isIncomplete = false
  /** Whose content is being applied. */
  #author: Peer | null = null
  /** It is a single change, which its author has yet to store. */
  #isFresh = false

  constructor(options: TabChannelOptions) {
    this.#options = options
    const { awareness, clock, doc, isOfServer, mayAsk } = options
    this.#questions = new TabQuestions({
      clock,
      mayAsk,
      ask: (to) => this.#post({ type: 'ask', to, stateVector: Y.encodeStateVector(doc) }),
    })
    this.#presence = new TabPresence({
      awareness,
      origin: this,
      isOfServer,
      post: (clientId, update) => this.#post({ type: 'presence', clientId, update }),
    })
  }

  get isOpen(): boolean {
    return this.#port !== null
  }

  /** A tab has changes on their way to the server that are in our document too. */
  get isWaiting(): boolean {
    return [...this.#peers.values()].some((peer) => peer.uploads && peer.hasUnsaved)
  }

  /** Another tab is this client. */
  hasClient(clientId: number): boolean {
    return this.#presence.has(clientId)
  }

  /** True for a change of another tab that this tab uploads itself, or has uploaded. */
  takesChange(origin: unknown): boolean {
    if (origin !== this || this.#author === null) return false
    return this.#author.uploads || !this.#author.hasUnsaved
  }

  /** True for a change that its tab stores in the database that we have too, and tells when it has. */
  isStoredByAuthor(origin: unknown): boolean {
    if (origin !== this || this.#author === null || !this.#isFresh) return false
    const { storage, isStored } = this.#author
    return storage !== null && !isStored && storage === this.#options.standing().storage
  }

  open(): void {
    if (this.#options.openPort === null || this.#stopPageLife !== null) return
    // A page that waits in the browser's cache hears nothing, and may not hold a channel.
    this.#stopPageLife = onPageLife({
      handleHide: () => this.#leave(),
      handleReturn: () => this.#enter(),
    })
    this.#enter()
  }

  /** As `open`, but not before it is known which history our Y.Doc has: tabs may still have the one that it replaces. */
  openOnceJoined(): void {
    this.#isDue = true
  }

  close(): void {
    this.#isDue = false
    this.#stopPageLife?.()
    this.#stopPageLife = null
    this.#leave()
  }

  /** Something about us may have changed: tells the others. */
  refresh(): void {
    if (this.#isDue && this.#options.standing().epoch !== null) {
      this.#isDue = false
      this.open()
    }
    if (this.#port === null) return
    this.#questions.resume()
    if (this.#options.scopeName() !== this.#scopeName) {
      this.#leave()
      this.#enter()
      return
    }
    const before = this.#told
    const { uploads, hasUnsaved, epoch, storage, isStored } = this.#options.standing()
    if (this.#options.mayShare() && !before.mayShare) this.#sayHello()
    else if (
      uploads !== before.uploads ||
      epoch !== before.epoch ||
      (before.hasUnsaved && !hasUnsaved) ||
      (storage !== null && !before.isStored && isStored)
    )
      this.#post({ type: 'here' })
  }

  #enter(): void {
    const { openPort, doc, scopeName } = this.#options
    if (openPort === null || this.#port !== null) return
    this.#scopeName = scopeName()
    const port = openPort(this.#scopeName, (message) => {
      if (this.#port === port) this.#handleMessage(message)
    })
    this.#port = port
    doc.on('update', this.#handleUpdate)
    this.#presence.start()
    this.#sayHello()
    this.#presence.announce()
    this.#armPing()
  }

  #leave(): void {
    const port = this.#port
    if (port === null) return
    this.#post({ type: 'bye' })
    this.#port = null
    this.#told = NOTHING_TOLD
    port.close()
    this.#options.doc.off('update', this.#handleUpdate)
    this.#cancelPing?.()
    this.#cancelPing = null
    this.#questions.clear()
    this.#presence.stop()
    // Nobody tells us any more what becomes of their changes.
    const { handlers } = this.#options
    const isAbandoned = this.isWaiting || this.#isIncomplete
    const hadPeers = this.#peers.size > 0
    this.#peers.clear()
    if (hadPeers) handlers.handleGone()
    if (isAbandoned) handlers.handleAbandoned()
  }

  #sayHello(): void {
    this.#post({ type: 'hello', shares: this.#options.mayShare() })
  }

  #post(body: TabMessageBody): void {
    const { standing, mayShare } = this.#options
    const told = standing()
    this.#told = { ...told, mayShare: mayShare() }
    this.#port?.post(writeTabMessage({ from: this.#id, ...told, body }))
  }

  readonly #handleUpdate = (update: Uint8Array, origin: unknown): void => {
    const { doc, clock, mayShare, isKnownToTabs } = this.#options
    if (this.#isIncomplete && isComplete(doc)) {
      this.#isIncomplete = false
      // Whatever brought the rest, what had waited for it came from a tab, and nobody may have uploaded it.
      clock.afterTurn(() => this.#takeOver())
    }
    // Also one that another provider on this Y.Doc took from the tabs: nothing is said twice.
    if (origin instanceof TabChannel || isKnownToTabs(origin) || !mayShare()) return
    this.#post({ type: 'edit', update })
  }

  #handleMessage(value: unknown): void {
    const message = readTabMessage(value)
    if (message === null || message.from === this.#id) return
    const ours = this.#options.standing().epoch
    // Another history: merging it would double what both have.
    if (message.epoch !== null && ours !== null && message.epoch !== ours) {
      this.#forget(message.from)
      return
    }
    // What we have posted is in that history by now, or will be: whoever has it uploads it there.
    if (message.epoch !== null && ours === null && !isEmptyDocument(this.#options.doc))
      this.#options.handlers.handleEpoch(message.epoch)
    if (message.body.type === 'bye') {
      this.#handleGone(message.from, message.hasUnsaved)
      return
    }
    const isNew = !this.#peers.has(message.from)
    const peer = this.#handleStanding(message)
    if (isNew && message.body.type !== 'hello') this.#presence.announce()
    this.#handleBody(message, peer)
  }

  #handleBody({ from, body }: TabMessage, peer: Peer): void {
    switch (body.type) {
      case 'hello':
        this.#presence.announce()
        if (body.shares && this.#options.mayShare()) this.#post({ type: 'offer', to: from })
        else this.#post({ type: 'here' })
        return
      case 'offer':
        if (body.to === this.#id && this.#options.mayShare()) this.#questions.add(from)
        return
      case 'ask':
        if (body.to === this.#id) this.#sendState(from, body.stateVector, true)
        return
      case 'state':
        if (body.to !== this.#id) return
        this.#apply(peer, body.update, false)
        this.#questions.handleEnd(from)
        if (body.stateVector !== null) this.#sendState(from, body.stateVector, false)
        return
      case 'edit':
        this.#apply(peer, body.update, true)
        return
      case 'presence':
        this.#presence.handle(from, body.clientId, body.update)
        return
      case 'ping':
        this.#post({ type: 'here' })
        return
      case 'here':
      case 'bye':
    }
  }

  /** What a tab lacks of ours, if we may say it. */
  #sendState(to: string, stateVector: Uint8Array, asksBack: boolean): void {
    const { doc, mayShare } = this.#options
    if (!mayShare()) return
    this.#post({
      type: 'state',
      to,
      update: Y.encodeStateAsUpdate(doc, stateVector),
      stateVector: asksBack ? Y.encodeStateVector(doc) : null,
    })
  }

  #apply(author: Peer, update: Uint8Array, isFresh: boolean): void {
    const { doc, documentName, mayShare, standing, handlers } = this.#options
    if (!mayShare()) return
    if (author.epoch !== null && standing().epoch === null) handlers.handleEpoch(author.epoch)
    this.#author = author
    this.#isFresh = isFresh
    const failure = applyUpdates(doc, [update], this)
    this.#author = null
    if (!isComplete(doc)) {
      this.#isIncomplete = true
      handlers.handleWaiting(update)
    }
    if (failure === null) return
    const { cause } = failure
    const text = 'an edit of another tab was not readable, or an observer threw'
    handlers.handleError(new ProviderError('apply-failed', text, { cause, documentName }))
  }

  #handleStanding({ from, epoch, uploads, hasUnsaved, storage, isStored }: TabMessage): Peer {
    const before = this.#peers.get(from)
    const peer = { epoch, uploads, hasUnsaved, storage, isStored, missedPings: 0 }
    this.#peers.set(from, peer)
    if (isStored && before?.isStored === false) this.#tellStored()
    if (before?.uploads !== uploads || before.hasUnsaved !== hasUnsaved) {
      const wasTrusted = before?.uploads === true && before.hasUnsaved
      if (wasTrusted && !uploads && hasUnsaved) this.#takeOver()
      this.#options.handlers.handleStanding()
    }
    return peer
  }

  #tellStored(): void {
    const { standing, handlers } = this.#options
    const { storage } = standing()
    const isMissing = [...this.#peers.values()].some(
      (peer) => peer.storage === storage && !peer.isStored,
    )
    if (storage !== null && !isMissing) handlers.handleStoredElsewhere()
  }

  #handleGone(tab: string, hasUnsaved: boolean): void {
    const peer = this.#peers.get(tab)
    if (peer === undefined) return
    this.#forget(tab)
    // If it did not upload, we have taken its changes for ours all along.
    if (peer.uploads && hasUnsaved) this.#takeOver()
    this.#options.handlers.handleGone()
    this.#options.handlers.handleStanding()
  }

  #forget(tab: string): void {
    this.#peers.delete(tab)
    this.#questions.handleEnd(tab)
    this.#presence.handleGone(tab)
  }

  #takeOver(): void {
    if (this.#options.mayShare()) this.#options.handlers.handleAbandoned()
  }

  #armPing(): void {
    this.#cancelPing = this.#options.clock.setTimer(PING_INTERVAL_MS, () => {
      for (const [tab, peer] of [...this.#peers])
        if (peer.missedPings >= MAX_MISSED_PINGS) this.#handleGone(tab, peer.hasUnsaved)
        else peer.missedPings++
      // Whoever was told of the end of a tab may have closed us.
      if (this.#port === null) return
      if (this.#peers.size > 0) this.#post({ type: 'ping' })
      this.#armPing()
    })
  }
}

function isComplete({ store }: Y.Doc): boolean {
  return store.pendingStructs === null && store.pendingDs === null
}

const NOTHING_TOLD = {
  epoch: null,
  uploads: false,
  hasUnsaved: false,
  storage: null,
  isStored: true,
  mayShare: false,
}
