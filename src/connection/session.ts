import {
  mergeAsTree,
  type AccessChangeCode,
  type ErrorCode,
  type JoinAnswer,
  type Limits,
} from '../../protocol/index.ts'
import type { Access, User } from '../access/access.ts'
import type { DocumentReader } from '../document/document-reader.ts'
import type { Lease } from '../document/document-registry.ts'
import type { OpenDocument } from '../document/open-document.ts'
import type { ClaimOwner } from '../document/client-claims.ts'
import type { PresenceOwner } from '../document/presence.ts'
import type { Listener } from '../document/room.ts'
import { announcementOf, asSent, type UpdateMessage } from '../document/update-message.ts'
import { DocumentError } from '../errors.ts'
import { FewMap } from '../few-map.ts'
import type { Peer } from './peer.ts'
import type { Join } from './requests.ts'
import { UpdateGate } from './update-gate.ts'

/** Y.Docs of one document behind one connection: a page has one or two, and each may announce a presence. */
const MAX_CLIENTS_PER_DOCUMENT = 32

/**
 * - `live`: hears every relay.
 * - `behind`: its reader is slow; hears nothing, then gets the log after its position in one go.
 * - `ended`: left, closed, or disconnected.
 */
type State = 'live' | 'behind' | 'ended'

/**
 * One connection in one document. The same document may be open in several Y.Docs behind it (`members`); they
 * share what is relayed.
 */
export class Session implements Listener, PresenceOwner, ClaimOwner {
  readonly document: OpenDocument
  #access: Exclude<Access, 'none'>
  /** Made with the first update that has to pass it. */
  #updates: UpdateGate | null = null
  readonly #peer: Peer
  readonly #lease: Lease
  readonly #reader: DocumentReader
  /** The client ids that joined through this session, and whether their presence is its to announce. */
  readonly #members = new FewMap<number, boolean>()
  #state: State = 'live'
  /** The connection was sent, or knows, everything up to here. */
  #position: number
  #missedPresence = false
  /** The connection was told of as many changes of the presence. */
  #presenceChanges: number
  /** Several Y.Docs shared this connection at some time: what is one's own may be news to another. */
  #isShared: boolean

  constructor(
    peer: Peer,
    lease: Lease,
    reader: DocumentReader,
    access: Exclude<Access, 'none'>,
    position: number,
  ) {
    this.#peer = peer
    this.#lease = lease
    this.#reader = reader
    this.document = lease.document
    this.#access = access
    this.#position = position
    this.#presenceChanges = this.document.presence.sentChanges
    this.#isShared = peer.hasStragglers
    this.document.room.add(this)
  }

  get user(): User | null {
    return this.#peer.user
  }

  get access(): Exclude<Access, 'none'> {
    return this.#access
  }

  get isEnded(): boolean {
    return this.#state === 'ended'
  }

  get updates(): UpdateGate {
    return (this.#updates ??= new UpdateGate())
  }

  hasMember(clientId: number): boolean {
    return this.#members.has(clientId)
  }

  hasClientId(clientId: number): boolean {
    return this.#members.get(clientId) === true
  }

  /** From here on the connection may do more or less in this document, and is told why. */
  changeAccess(access: Exclude<Access, 'none'>, code: AccessChangeCode): void {
    if (this.isEnded || access === this.#access) return
    this.#access = access
    this.#peer.sendAccess(this.document.handle, { access, code })
  }

  /** The server knows its user by other presence fields now: what was announced shows them at once. [PRES13] */
  handleUserChanged(): void {
    for (const [clientId, ownsPresence] of this.#members)
      if (ownsPresence) this.document.presence.restamp(this, clientId)
  }

  /** Throws `too-many-clients` when no further Y.Doc may join through this connection. */
  assertRoomFor(clientId: number): void {
    if (this.#members.size >= MAX_CLIENTS_PER_DOCUMENT && !this.#members.has(clientId))
      throw new DocumentError(
        'too-many-clients',
        `a connection may join a document with ${MAX_CLIENTS_PER_DOCUMENT} client ids`,
      )
  }

  /** A Y.Doc joined through this connection (again). Its client id is claimed for presence if it is free. */
  addMember(join: Join): void {
    this.#members.set(join.clientId, this.document.claims.claim(join, this))
    if (this.#members.size > 1) this.#isShared = true
  }

  /** A Y.Doc behind this connection is gone; with the last one the session ends. */
  removeMember(clientId: number): void {
    if (!this.#members.has(clientId)) return
    this.#releasePresence(clientId)
    this.#members.delete(clientId)
    if (this.#members.size === 0) this.end()
  }

  /** The same Y.Doc came back through another connection. */
  handleClaimLost(clientId: number): void {
    this.document.presence.removeClient(this, clientId)
    if (this.#members.has(clientId)) this.#members.set(clientId, false)
  }

  handleUpdate(message: UpdateMessage): void {
    if (this.#state !== 'live' || message.to <= this.#position) return
    if (message.from > this.#position + 1) {
      this.#fallBehind()
      return
    }
    // An author knows its own entries from the acknowledgements, unless another Y.Doc shares the connection.
    const isOwn = message.origin === this && !this.#isShared
    if (!isOwn) {
      if (this.#peer.outbox.isCongested) {
        this.#fallBehind()
        return
      }
      this.#peer.sendUpdate(this.document.handle, asSent(message))
    }
    this.#position = message.to
  }

  handleSkipped(head: number): void {
    if (this.#state === 'live' && this.#position < head) this.#fallBehind()
  }

  handlePresence(update: Uint8Array, except: object | null): void {
    if (this.#state === 'ended' || (except === this && !this.#isShared)) return
    if (this.#peer.outbox.isCongested) {
      if (!this.#missedPresence) {
        this.#missedPresence = true
        this.#peer.outbox.whenDrained(() => this.#sendMissedPresence())
      }
      return
    }
    // While something was missed, only the message that makes up for it brings the number forward.
    if (!this.#missedPresence) this.#presenceChanges = this.document.presence.sentChanges
    this.#peer.sendAwareness(this.document.handle, update)
  }

  handleEnd(error: DocumentError): void {
    if (this.#state === 'ended') return
    this.#peer.sendClosed(this.document.handle, error)
    this.end(error.code)
  }

  /** Leaves the document: presence goes at once, nothing more is sent. Idempotent. */
  end(code: ErrorCode | null = null): void {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    this.document.room.remove(this)
    for (const clientId of this.#members.keys()) this.#releasePresence(clientId)
    this.#members.clear()
    this.#peer.handleSessionEnd(this.document, code)
    this.#lease.release()
  }

  #releasePresence(clientId: number): void {
    this.document.presence.removeClient(this, clientId)
    this.document.claims.release(clientId, this)
  }

  #fallBehind(): void {
    this.#state = 'behind'
    this.#peer.outbox.whenDrained(() => {
      this.#catchUp().catch((error: unknown) => {
        this.handleEnd(
          error instanceof DocumentError && error.code !== 'cursor-too-old'
            ? error
            : new DocumentError('reader-too-slow', 'join again to catch up', { cause: error }),
        )
      })
    })
  }

  /** Sends the log after the position page by page, each when the one before it has left. */
  async #catchUp(): Promise<void> {
    while (this.#state === 'behind') {
      if (this.#position >= this.document.head) {
        // Relays of entries that were part of a page are skipped by their sequence numbers.
        this.#state = 'live'
        return
      }
      const page = await this.#reader.page(this.document, this.#position, true)
      if (this.isEnded) return
      if (page.entry !== undefined) {
        this.#announce(page.entry.seq)
        continue
      }
      if (page.updates.length === 0) continue
      this.#peer.sendUpdate(this.document.handle, {
        from: this.#position + 1,
        to: page.seq,
        update: mergeAsTree(page.updates),
        origin: null,
      })
      this.#position = page.seq
      if (this.#peer.outbox.isCongested) {
        this.#fallBehind()
        return
      }
    }
  }

  /** The log reaches up to here, and the client reads it. */
  #announce(seq: number): void {
    this.#peer.sendUpdate(this.document.handle, announcementOf(seq))
    this.#position = seq
  }

  #sendMissedPresence(): void {
    this.#missedPresence = false
    if (this.#state === 'ended') return
    const { presence, handle } = this.document
    const missed = presence.encodeSince(this.#presenceChanges)
    this.#presenceChanges = presence.sentChanges
    if (missed !== null) this.#peer.sendAwareness(handle, missed)
  }
}

/** The answer to a join, as of this moment: to be sent in the same turn in which the session was made. */
export function joinAnswer(
  session: Session,
  catchUp: Pick<JoinAnswer, 'seq' | 'updates'> & Partial<Pick<JoinAnswer, 'snapshot'>>,
  limits: Limits,
): JoinAnswer {
  const { document } = session
  const awareness = document.presence.encodeAll()
  return {
    ok: true,
    document: document.handle,
    epoch: document.epoch,
    seq: catchUp.seq,
    head: document.head,
    access: session.access,
    stateVector: document.index.stateVector(),
    updates: catchUp.updates,
    ...(catchUp.snapshot === undefined ? {} : { snapshot: catchUp.snapshot }),
    ...(awareness === null ? {} : { awareness }),
    limits,
  }
}
