import {
  CHUNK_BYTES,
  type AccessChange,
  type CheckAnswer,
  type ChunkAnswer,
  type ChunkRequest,
  type Closed,
  type DocumentHandle,
  type DocumentName,
  type Done,
  type ErrorCode,
  type JoinAnswer,
  type PullAnswer,
  type PullRequest,
  type ServerToClientEvents,
  type TokenAnswer,
  type UpdateAnswer,
} from '../../protocol/index.ts'
import type { Access, User } from '../access/access.ts'
import type { Answer } from '../access/decisions.ts'
import type { Lease } from '../document/document-registry.ts'
import type { Accepted, Author, OpenDocument, Receipt } from '../document/open-document.ts'
import type { UpdateMessage } from '../document/update-message.ts'
import { asDocumentError, DocumentError } from '../errors.ts'
import { FewMap } from '../few-map.ts'
import { Admission } from './admission.ts'
import type { ConnectionServices } from './connection-services.ts'
import { ConnectionAccess, type Identity } from './connection-access.ts'
import { InboundPaces } from './inbound-paces.ts'
import { JoinDeadline } from './join-deadline.ts'
import type { Outbox } from './outbox.ts'
import type { Peer } from './peer.ts'
import {
  isClientId,
  readCheck,
  readChunk,
  readJoin,
  readPull,
  readUpdateBytes,
  readUploadReference,
  type Join,
} from './requests.ts'
import { Session, joinAnswer } from './session.ts'
import { checkState } from './state-check.ts'
import { tellOutcome } from './update-receipt.ts'
import { Uploads } from './uploads.ts'

/** The way out: one event to this connection. Calls with one `shared` object carry the same arguments. */
export interface Transport {
  readonly outbox: Outbox
  send(event: ServerEvent, args: readonly unknown[], shared: object): void
  /** Ends the connection from our side; `handleDisconnect` follows. */
  disconnect(): void
  /** Stops reading what the other end sends, or goes on: its kernel then makes it wait. Where that is not possible nothing happens. */
  setReading?(isReading: boolean): void
}

type ServerEvent = keyof ServerToClientEvents

/** What may be done, as it was decided when the access had this version. */
interface Decision {
  readonly access: 'read' | 'write'
  readonly version: number
}

const DONE: Done = { ok: true }

/** What a parsed state vector takes in memory per client. */
const CLOCK_BYTES = 64

/**
 * One connection and the documents it is in. Every `handle…` takes what a stranger sent and answers or throws a
 * `DocumentError`; nothing here knows Socket.IO.
 */
export class Connection implements Peer {
  readonly access: ConnectionAccess
  readonly #transport: Transport
  readonly #services: ConnectionServices
  readonly #sessions = new FewMap<DocumentHandle, Session>()
  readonly #admission: Admission
  /** Made with the first chunk. */
  #uploads: Uploads | null = null
  readonly #joinDeadline: JoinDeadline
  /** Made with the first message that has a pace. */
  #inboundPaces: InboundPaces | null = null
  #joinsUnderWay = 0
  #hasStragglers = false
  #isOpen = true

  constructor(transport: Transport, identity: Identity, services: ConnectionServices) {
    this.#transport = transport
    this.#services = services
    this.#admission = new Admission(transport.outbox)
    this.#joinDeadline = new JoinDeadline(services.clock, services.joinTimeoutMs, this)
    this.#joinDeadline.set(false)
    this.access = new ConnectionAccess(identity, services, this)
  }

  get user(): User | null {
    return this.access.user
  }

  get outbox(): Outbox {
    return this.#transport.outbox
  }

  get hasStragglers(): boolean {
    return this.#hasStragglers
  }

  async handleJoin(request: unknown): Promise<JoinAnswer> {
    const join = readJoin(request)
    const { maxDocumentsPerConnection, registry } = this.#services
    if (this.#sessions.size + this.#joinsUnderWay >= maxDocumentsPerConnection)
      throw new DocumentError(
        'too-many-documents',
        `a connection may have ${maxDocumentsPerConnection} documents open`,
        { limit: 'maxDocumentsPerConnection' },
      )
    this.#joinsUnderWay++
    this.#joinDeadline.set(true)
    let leave: (() => void) | null = null
    try {
      // Awaited is only what has to be waited for: most joins are of open documents, by users whose access is known at once.
      leave =
        this.#admission.tryEnter() ??
        (await this.#admission.enter(
          join.encodedStateVector.length + join.stateVector.size * CLOCK_BYTES,
        ))
      const { version } = this.access
      const deciding = this.#decideAccess(join)
      const access = deciding instanceof Promise ? await deciding : deciding
      const lease = registry.tryAcquire(join.name) ?? (await registry.acquire(join.name))
      try {
        return await this.#join(join, lease, { access, version })
      } catch (error) {
        lease.release()
        throw error
      }
    } finally {
      this.#joinsUnderWay--
      this.#joinDeadline.set(this.#isInDocument)
      leave?.()
    }
  }

  handleJoinMissed(): void {
    this.#services.handleLimitHit('joinTimeoutMs')
    this.#transport.disconnect()
  }

  sessions(): Iterable<Session> {
    return this.#sessions.values()
  }

  sendExpiring(expiresInMs: number): void {
    this.#transport.send('expiring', [expiresInMs], {})
  }

  handleGivenUp(): void {
    this.#transport.disconnect()
  }

  handleToken(token: unknown): Promise<TokenAnswer> {
    return this.access.handleToken(token)
  }

  /** Throws unless the connection has this document open and may do so much with it. */
  assertAccess(document: unknown, needed: 'read' | 'write'): void {
    const session = this.#session(document)
    if (needed === 'write' && session.access !== 'write')
      throw new DocumentError('read-only', 'this connection may read the document, not change it')
  }

  async handleUpdate(document: unknown, update: unknown): Promise<UpdateAnswer> {
    const reference = readUploadReference(update)
    // Behind its chunks, which may be held.
    if (reference !== null)
      return this.#paces.update(0, () => this.#acceptUpload(this.#writer(document), reference))
    return new Promise((resolve, reject) => {
      this.handleUpdateBytes(document, update, {
        handleAccepted: (seq, entry) => resolve({ ok: true, seq, entry }),
        handleRefused: reject,
      })
    })
  }

  /** An update that is no upload, as nearly all are; asserts the access itself. Throws, or the receipt is told. */
  handleUpdateBytes(document: unknown, update: unknown, receipt: Receipt): void {
    const session = this.#writer(document)
    const bytes = readUpdateBytes(update, this.#services.maxUpdateBytes)
    if (!this.#paces.tryUpdate(bytes.length)) {
      const accept = (): Promise<UpdateAnswer> => this.#accept(this.#writer(document), bytes)
      tellOutcome(this.#paces.update(bytes.length, accept), receipt)
    } else if (this.#services.hooks.has('beforeUpdate'))
      tellOutcome(this.#accept(session, bytes), receipt)
    else session.document.submit(bytes, this.#authorOf(session), receipt)
  }

  async #acceptUpload(session: Session, reference: number): Promise<UpdateAnswer> {
    const uploads = this.#openUploads()
    const upload = uploads.take(session.document.handle, reference)
    try {
      return await this.#accept(session, upload.bytes)
    } catch (error) {
      if (asDocumentError(error)?.retry === 'backoff') uploads.restore(upload)
      throw error
    }
  }

  async #accept(session: Session, bytes: Uint8Array): Promise<UpdateAnswer> {
    const accepting = this.#services.hooks.has('beforeUpdate')
      ? (await session.updates.pass(bytes.length, () => this.#propose(session, bytes))).accepting
      : this.#handIn(session, bytes)
    const { seq, isEntry } = await accepting
    return { ok: true, seq, entry: isEntry }
  }

  #handIn(session: Session, update: Uint8Array): Promise<Accepted> {
    return session.document.accept(update, this.#authorOf(session))
  }

  #authorOf(session: Session): Author {
    return { origin: session, userId: this.user?.id ?? null }
  }

  /** Hands in an update that the application has nothing against. The next one does not wait until it is durable. */
  async #propose(
    session: Session,
    update: Uint8Array,
  ): Promise<{ readonly accepting: Promise<Accepted> }> {
    const { document } = session
    document.assertWellFormed(update)
    await this.#services.hooks.beforeUpdate({ document: document.name, user: this.user, update })
    // Both may have ended meanwhile: the session, and its right to write.
    this.assertAccess(document.handle, 'write')
    return { accepting: this.#handIn(session, update) }
  }

  handleChunk(
    document: unknown,
    request: unknown,
    bytes: unknown,
  ): ChunkAnswer | Promise<ChunkAnswer> {
    // Not copied: the bytes go into the upload's own buffer at once.
    if (!(bytes instanceof Uint8Array))
      throw new DocumentError('malformed-request', 'chunk takes bytes')
    const chunk = readChunk(request)
    return this.#paces.update(bytes.length, () => {
      const session = this.#writer(document)
      const { handle } = session.document
      const parkedAs = this.#parkingName(session, chunk)
      const received = this.#openUploads().add(handle, chunk, bytes, parkedAs)
      return { ok: true, received }
    })
  }

  handleAwareness(document: unknown, update: unknown): Done | Promise<Done> {
    const joined = this.#session(document)
    if (!(update instanceof Uint8Array))
      throw new DocumentError('malformed-awareness', 'awareness takes bytes')
    if (this.#paces.tryPresence(update.length)) {
      // Read at once, so that it needs no copy.
      joined.document.presence.handleUpdate(joined, update)
      return DONE
    }
    const bytes = new Uint8Array(update)
    return this.#paces.presence(joined.document.handle, bytes, () => {
      const session = this.#session(document)
      session.document.presence.handleUpdate(session, bytes)
      return DONE
    })
  }

  async handlePull(document: unknown, request: unknown): Promise<PullAnswer> {
    this.#session(document)
    const pull = readPull(request)
    const leave = await this.#admission.enter(0)
    try {
      // It may have left the document while the request waited.
      return await this.#pull(this.#session(document), pull)
    } finally {
      leave()
    }
  }

  /** Says whether the client's copy is the server's. It costs a hash of the index, once for each state of the document. */
  async handleCheck(document: unknown, request: unknown): Promise<CheckAnswer> {
    this.#session(document)
    const check = readCheck(request)
    const leave = await this.#admission.enter(0)
    try {
      return checkState(this.#session(document).document, check, this.#services.checks)
    } finally {
      leave()
    }
  }

  async #pull(session: Session, pull: PullRequest): Promise<PullAnswer> {
    const { reader, pacer } = this.#services
    if (pull.epoch !== session.document.epoch)
      throw new DocumentError('document-reset', 'the document has another epoch')
    const { document } = session
    if ('chunk' in pull) {
      const chunk =
        'snapshot' in pull
          ? await reader.snapshotChunk(document, pull.snapshot, pull.chunk)
          : await reader.entryChunk(document, pull.entry, pull.chunk)
      await pacer.enter(chunk.length)
      return { ok: true, seq: 'snapshot' in pull ? pull.snapshot : pull.entry, updates: [chunk] }
    }
    const page = await reader.page(document, pull.after, pull.chunked)
    await pacer.enter(sizeOf(page.updates))
    return { ok: true, ...page }
  }

  handleLeave(document: unknown, clientId: unknown): Done {
    if (!isClientId(clientId))
      throw new DocumentError('malformed-request', 'leave takes a client id')
    const session = this.#session(document)
    if (session.hasMember(clientId)) this.#inboundPaces?.release()
    session.removeMember(clientId)
    return { ok: true }
  }

  handleDisconnect(): void {
    this.#inboundPaces?.release()
    this.#isOpen = false
    this.#admission.close()
    this.#joinDeadline.close()
    this.access.close()
    for (const session of [...this.#sessions.values()]) session.end()
    this.outbox.close()
  }

  /** Tells every document of this connection that it is over. */
  endAll(error: DocumentError): void {
    for (const session of [...this.#sessions.values()]) session.handleEnd(error)
  }

  sendUpdate(document: DocumentHandle, message: UpdateMessage): void {
    this.#transport.send('update', [document, message.from, message.to, message.update], message)
  }

  sendAwareness(document: DocumentHandle, update: Uint8Array): void {
    this.#transport.send('awareness', [document, update], update)
  }

  sendClosed(document: DocumentHandle, error: DocumentError): void {
    this.#hasStragglers = true
    const closed: Closed = { code: error.code, retry: error.retry, message: error.message }
    this.#transport.send('closed', [document, closed], closed)
  }

  sendAccess(document: DocumentHandle, change: AccessChange): void {
    // Who may not write any more does not finish it here; with its key it may go on when it may.
    if (change.access === 'read') this.#uploads?.leave(document)
    this.#transport.send('access', [document, change], change)
  }

  handleSessionEnd({ handle, name }: OpenDocument, code: ErrorCode | null): void {
    this.#sessions.delete(handle)
    this.#uploads?.leave(handle)
    this.#services.hooks.tell('closed', { document: name, user: this.user, code })
    this.#joinDeadline.set(this.#isInDocument)
  }

  get #isInDocument(): boolean {
    return this.#sessions.size > 0 || this.#joinsUnderWay > 0
  }

  #decideAccess({ name }: Join): Answer<'read' | 'write'> {
    const access = this.access.decide(name)
    return access instanceof Promise
      ? access.then((late) => someAccess(late, name))
      : someAccess(access, name)
  }

  async #join(join: Join, lease: Lease, decided: Decision): Promise<JoinAnswer> {
    const { reader, pacer, maxUpdateBytes, maxPresenceBytes } = this.#services
    const { document } = lease
    const loading = document.whenLoaded()
    if (loading !== null) await loading
    if (join.epoch !== null && join.epoch !== document.epoch)
      throw new DocumentError(
        'document-reset',
        `${JSON.stringify(join.name)} has begun a new history; what you hold belongs to another`,
      )
    const reading = reader.catchUp(document, join.cursor, join.stateVector, join.encodedStateVector)
    const catchUp = reading instanceof Promise ? await reading : reading
    const pacing = pacer.enter(sizeOf(catchUp.updates))
    if (pacing !== null) await pacing
    const reloading = document.whenLoaded()
    if (reloading !== null) await reloading
    let { access, version } = decided
    while (version !== this.access.version) {
      // It was taken away or given meanwhile.
      version = this.access.version
      access = await this.#decideAccess(join)
      await document.whenLoaded()
    }
    if (!this.#isOpen) throw new DocumentError('server-closing', 'the connection is gone')

    // From here to the answer nothing is awaited: no entry can come between what the answer holds and what
    // the session will hear. [T3]
    let session = this.#sessions.get(document.handle)
    session?.assertRoomFor(join.clientId)
    if (session === undefined) {
      session = new Session(this, lease, reader, access, document.head)
      this.#sessions.set(document.handle, session)
      this.#services.hooks.tell('opened', { document: document.name, user: this.user, access })
    } else {
      session.changeAccess(access, 'access-changed')
      lease.release()
    }
    session.addMember(join)
    return joinAnswer(session, catchUp, {
      updateBytes: maxUpdateBytes,
      chunkBytes: CHUNK_BYTES,
      presenceBytes: maxPresenceBytes,
    })
  }

  get #paces(): InboundPaces {
    this.#inboundPaces ??= new InboundPaces({
      clock: this.#services.clock,
      limits: this.#services,
      handleLimitHit: this.#services.handleLimitHit,
      setReading: (isReading) => this.#transport.setReading?.(isReading),
      handleIgnored: (error) => {
        this.endAll(error)
        this.#transport.disconnect()
      },
    })
    return this.#inboundPaces
  }

  #openUploads(): Uploads {
    const { clock, maxUpdateBytes, parkedUploads } = this.#services
    return (this.#uploads ??= new Uploads({ clock, maxUpdateBytes, parked: parkedUploads }))
  }

  #session(document: unknown): Session {
    const session = typeof document === 'number' ? this.#sessions.get(document) : undefined
    if (session === undefined) throw new DocumentError('not-joined', 'join the document first')
    return session
  }

  /** What was held meanwhile may not be this connection's to change any more. */
  #writer(document: unknown): Session {
    this.assertAccess(document, 'write')
    return this.#session(document)
  }

  /** Under which name an upload outlives its connection: nobody else's, and of no other history. */
  #parkingName(session: Session, { key }: ChunkRequest): string | null {
    if (key === undefined) return null
    const { name, epoch } = session.document
    return JSON.stringify([this.user?.id ?? null, name, epoch, key])
  }
}

function someAccess(access: Access, name: DocumentName): 'read' | 'write' {
  if (access !== 'none') return access
  throw new DocumentError('forbidden', `no access to ${JSON.stringify(name)}`)
}

function sizeOf(updates: readonly Uint8Array[]): number {
  return updates.reduce((sum, update) => sum + update.length, 0)
}
