import type { EventEmitter } from 'node:events'
import type { Server as HttpServer } from 'node:http'
import { Server as SocketIOServer, type Namespace, type Socket } from 'socket.io'
import {
  DEFAULT_NAMESPACE,
  PROTOCOL_VERSION,
  type DocumentName,
  type Refusal,
} from '../../protocol/index.ts'
import type { Handshake, User } from '../access/access.ts'
import { identify, reportingWrongAnswers } from '../access/decisions.ts'
import { addressGroup, clientAddress } from '../access/client-address.ts'
import { hostNotAllowed, isHostAllowed } from '../access/host.ts'
import { isOriginAllowed } from '../access/origin.ts'
import { asDocumentError, DocumentError } from '../errors.ts'
import type { ResolvedOptions } from '../options.ts'
import { AcceptedConnection, type Accepted, type Door } from './accepted-connection.ts'
import { limitArguments } from './argument-limit.ts'
import { CLIENT_EVENTS, type ClientEvent } from './client-events.ts'
import type { Identity } from './connection-access.ts'
import { ConnectionCounts } from './connection-counts.ts'
import type { ConnectionServices } from './connection-services.ts'
import { Connection, type Transport } from './connection.ts'
import { PeerEvents } from './direct-events.ts'
import { DirectReader } from './direct-reader.ts'
import { emitterListener } from './emitter-listener.ts'
import { flushAnswers } from './engine-meter.ts'
import { ENTRY_TIMEOUT_MS, EngineGuard, type GuardedEngine } from './engine-guard.ts'
import { HandshakeIdentity, type Ask } from './handshake-identity.ts'
import { Seats } from './seats.ts'
import { FrameCache, SocketTransport, type TransportLimits } from './socket-transport.ts'

export type AttachTarget = HttpServer | SocketIOServer | Namespace

/** How long a recovered socket that was refused may take to ask for something: a slow network's round trip. */
const REFUSED_SOCKET_MS = 10_000

/** How long a closing server waits for its clients to read what was sent: a slow network's round trip. */
const FAREWELL_MS = 1000

/** What is used here of engine.io's socket. */
interface EngineConnection {
  once(event: 'close', listener: () => void): void
  /** Without `discard` what is buffered is sent first. */
  close(discard: boolean): void
}

type AnyListener = (...args: unknown[]) => void

const CLIENT_EVENT_NAMES = Object.keys(CLIENT_EVENTS) as readonly ClientEvent[]

type Listener = (this: Socket, ...args: unknown[]) => void

/** Whom a socket's events are for. */
const PEERS = new WeakMap<Socket, Accepted>()

/** The same for all sockets: functions of its own would be a kilobyte for each. */
const LISTENERS: readonly (readonly [ClientEvent, Listener])[] = CLIENT_EVENT_NAMES.map((event) => [
  event,
  function receive(...args) {
    const last = args.at(-1)
    const answer = typeof last === 'function' ? (args.pop() as (answer: unknown) => void) : null
    PEERS.get(this)?.receive(event, args, answer)
  },
])

/** Whose access is asked about again: of one user, in one document, or both; of everybody everywhere. */
export interface RecheckRequest {
  /** The `id` of a user. */
  readonly user?: string
  /** The name of a document. */
  readonly document?: DocumentName
}

/** One namespace that is served. Engine connections are counted for each: they may have a socket in several. */
interface Served {
  readonly frames: FrameCache
  readonly isOurServer: boolean
  readonly limits: TransportLimits
  /** Of a server of our own. */
  readonly guard: EngineGuard | null
  readonly seats: Seats
  readonly handleDisconnected: (this: Socket) => void
}

function alreadyConnected(): DocumentError {
  return new DocumentError('already-connected', 'this connection is open in this namespace')
}

/** Socket.IO refuses a connection with an error; `data` reaches the client. */
class ConnectionRefused extends Error {
  readonly data: Omit<Refusal, 'ok'>

  constructor(error: DocumentError) {
    super(error.message)
    this.data = { code: error.code, retry: error.retry, message: error.message }
  }
}

/**
 * Where Socket.IO is attached to, and sockets are let in. Whatever comes of one, through Socket.IO's listeners or past them (`DirectReader`), goes to its
 * `AcceptedConnection`, so that neither a throw, a rejected promise, nor a missing acknowledgement can reach the process. [T27]
 */
export class Gateway {
  readonly #options: ResolvedOptions
  readonly #services: ConnectionServices
  readonly #connections = new Set<Connection>()
  readonly #identities = new WeakMap<Socket, Identity>()
  readonly #counts: ConnectionCounts
  readonly #namespaces = new Set<Namespace>()
  readonly #detach: (() => void | Promise<void>)[] = []
  readonly #door: Door = {
    assertOpen: () => this.#assertNotClosing(),
    refusalOf: (event, error) => this.#refusalOf(event, error),
    refusalOfUpdate: (error) => this.#refusalOf('update', error),
    forget: (connection) => this.#connections.delete(connection),
  }
  readonly #ask: Ask = (shown) =>
    identify(this.#options.authenticate, shown, this.#options.clock.now())
  readonly #handleSocketError = (error: Error): void =>
    this.#options.logger.debug('a socket reported an error', { error })
  #isClosing = false

  constructor(options: ResolvedOptions, services: ConnectionServices) {
    this.#options = options
    this.#services = { ...services, authorize: reportingWrongAnswers(options) }
    this.#counts = new ConnectionCounts(options)
  }

  get connectionCount(): number {
    return this.#connections.size
  }

  /**
   * Serves a namespace as it is, `/y-rooms` of a Socket.IO server, or a Socket.IO server of our own on an
   * HTTP server.
   */
  attach(target: AttachTarget): void {
    if (isNamespace(target)) this.#serve(target, null)
    else if (isSocketIOServer(target)) this.#serve(target.of(DEFAULT_NAMESPACE), null)
    else this.#attachToHttpServer(target)
  }

  /**
   * Asks `authorize` again about every open document, or those of one user or one name. Resolves when every session goes by the
   * answer.
   */
  async recheck({ user, document }: RecheckRequest): Promise<void> {
    await Promise.all(
      [...this.#connections]
        .filter((connection) => user === undefined || connection.user?.id === user)
        .map((connection) => connection.access.recheck(document ?? null, 'access-changed')),
    )
  }

  /** From now on every request is refused with `server-closing`; what was accepted is still acknowledged. */
  stopAccepting(): void {
    this.#isClosing = true
  }

  /**
   * Tells every client to come back later and disconnects it, once it has read what was sent, or after `FAREWELL_MS`. What the
   * host created stays open.
   */
  async close(): Promise<void> {
    this.#isClosing = true
    const closing = new DocumentError('server-closing', 'the server is closing')
    for (const connection of [...this.#connections]) connection.endAll(closing)
    // Of who is in no document any more nothing else has done so.
    flushAnswers()
    await Promise.all(this.#detach.splice(0).map(async (detach) => detach()))
  }

  #attachToHttpServer(httpServer: HttpServer): void {
    // Its listeners are looked at by name, whatever names there are.
    const server: EventEmitter = httpServer
    const { pingIntervalMs, pingTimeoutMs, maxMessageBytes, allowedOrigins, allowedHosts } =
      this.#options
    const { handleLimitHit } = this.#services
    const guard = new EngineGuard({ ...this.#options, handleLimitHit })
    const before = new Map(server.eventNames().map((name) => [name, server.listeners(name)]))
    const io = new SocketIOServer(httpServer, {
      serveClient: false,
      // Other WebSocket servers on the same HTTP server keep their upgrades.
      destroyUpgrade: false,
      perMessageDeflate: false,
      pingInterval: pingIntervalMs,
      pingTimeout: pingTimeoutMs,
      maxHttpBufferSize: maxMessageBytes,
      // A connection that has not chosen a namespace by then is not a client.
      connectTimeout: ENTRY_TIMEOUT_MS,
      allowRequest: (request, decide) =>
        decide(
          null,
          isHostAllowed(request.headers, allowedHosts) &&
            isOriginAllowed(request.headers, allowedOrigins) &&
            guard.mayOpen(request),
        ),
      cors: {
        // Decided by allowRequest; here only the header that lets the page read what it was allowed.
        origin: (origin, decide) => decide(null, origin),
        credentials: true,
      },
    })
    io.engine.on('connection', (engine: GuardedEngine) => guard.watch(engine))
    io.of('/').use((_socket, next) =>
      next(new Error(`connect to the namespace ${DEFAULT_NAMESPACE}`)),
    )
    const added = server.eventNames().map((name) => {
      const earlier = before.get(name) ?? []
      const now = server.listeners(name)
      return {
        name,
        ours: now.filter((listener) => !earlier.includes(listener)),
        displaced: earlier.filter((listener) => !now.includes(listener)),
      }
    })
    this.#detach.push(async () => {
      // Its listeners stay until then: a client that polls may have to ask for its last answers.
      await this.#sayGoodbye(io)
      for (const { name, ours, displaced } of added) {
        for (const listener of ours) server.removeListener(name, listener as AnyListener)
        // Engine.IO put itself before the host's request listeners; they take their place again. A listener that was
        // there for one event only, and has heard it since, does not come back.
        for (const listener of displaced) server.on(name, listener as AnyListener)
      }
    })
    this.#serve(io.of(DEFAULT_NAMESPACE), guard)
  }

  /** Lets acknowledgements and the reason for the end leave, and ends those that do not read them. */
  #sayGoodbye(io: SocketIOServer): Promise<void> {
    // Protected in its types; there is no other way to those that have no socket in a namespace yet.
    const { clients: open } = io.engine as unknown as { clients: Record<string, EngineConnection> }
    const clients = Object.values(open)
    return new Promise((resolve) => {
      let left = clients.length
      const end = (): void => {
        cancel()
        io.engine.close()
        resolve()
      }
      const cancel = this.#options.clock.setTimer(FAREWELL_MS, end)
      if (left === 0) end()
      for (const client of clients) {
        client.once('close', () => --left === 0 && end())
        client.close(false)
      }
    })
  }

  #serve(namespace: Namespace, guard: EngineGuard | null): void {
    const isOurServer = guard !== null
    if (this.#namespaces.has(namespace)) return
    this.#namespaces.add(namespace)
    const served = this.#servedAt(namespace, guard)
    const onConnection = (socket: Socket): void => this.#handleConnection(socket, served)
    namespace.use((socket, next) => {
      // Middleware cannot be taken off; after `close` the namespace is its host's alone.
      if (!this.#namespaces.has(namespace) && !isOurServer) {
        next()
        return
      }
      const refuse = (error: unknown): void =>
        next(new ConnectionRefused(this.#asDocumentError(error)))
      let admitting: Promise<void> | null
      try {
        admitting = this.#admit(socket, served)
      } catch (error) {
        refuse(error)
        return
      }
      if (admitting === null) next()
      else admitting.then(() => next(), refuse)
    })
    namespace.on('connection', onConnection)
    this.#detach.unshift(() => {
      this.#namespaces.delete(namespace)
      namespace.off('connection', onConnection)
      // Under a server of our own the engine is closed instead: a client that loses its connection comes back by
      // itself, one that is disconnected by name does not.
      if (isOurServer) return
      for (const socket of namespace.sockets.values())
        if (this.#identities.has(socket)) socket.disconnect(false)
    })
  }

  #servedAt(namespace: Namespace, guard: EngineGuard | null): Served {
    const { clock, outboxSoftBytes, outboxHardBytes, outboxStallMs } = this.#options
    const isOurServer = guard !== null
    const served: Served = {
      frames: new FrameCache(namespace),
      isOurServer,
      limits: {
        clock,
        softBytes: outboxSoftBytes,
        hardBytes: outboxHardBytes,
        stallMs: outboxStallMs,
        endsEngine: isOurServer,
        handleLimitHit: this.#services.handleLimitHit,
      },
      guard,
      seats: new Seats(this.#counts),
      handleDisconnected: emitterListener((socket) => this.#handleDisconnected(socket, served)),
    }
    return served
  }

  /** Null: it is let in. Throws or rejects when it is not. */
  #admit(socket: Socket, { seats }: Served): Promise<void> | null {
    this.#assertNotClosing()
    const { handshake, conn } = socket
    const seat = seats.of(conn)
    if (seat.isConnected || seat.isAdmitting) throw alreadyConnected()
    const shown = this.#shownBy(handshake)
    const user = this.#ask(shown)
    if (!(user instanceof Promise)) {
      this.#letIn(socket, seats, new HandshakeIdentity(user, shown, this.#ask))
      return null
    }
    // It takes its place as connected only when it is: a middleware of the host may still refuse it, and says nothing.
    seat.isAdmitting = true
    return this.#admitLater(socket, seats, shown, user)
  }

  async #admitLater(
    socket: Socket,
    seats: Seats,
    shown: Handshake,
    asking: Promise<User | null>,
  ): Promise<void> {
    const seat = seats.of(socket.conn)
    try {
      const identity = new HandshakeIdentity(await asking, shown, this.#ask)
      if (seat.isConnected) throw alreadyConnected()
      this.#letIn(socket, seats, identity)
    } finally {
      seat.isAdmitting = false
    }
    this.#assertNotClosing()
  }

  /** At once when it is known who it is: of many that ask in one moment all would find the same place free. */
  #letIn(socket: Socket, seats: Seats, identity: Identity): void {
    seats.take(socket.conn, {
      address: addressGroup(this.#addressOf(socket.handshake)),
      userId: identity.user?.id ?? null,
    })
    this.#identities.set(socket, identity)
  }

  #assertNotClosing(): void {
    if (this.#isClosing) throw new DocumentError('server-closing', 'the server is closing')
  }

  /** What a client shows of itself; throws when it would not be let in whoever it is. */
  #shownBy(handshake: Socket['handshake']): Handshake {
    const { allowedOrigins, allowedHosts } = this.#options
    if (!isHostAllowed(handshake.headers, allowedHosts)) throw hostNotAllowed()
    if (!isOriginAllowed(handshake.headers, allowedOrigins))
      throw new DocumentError('origin-not-allowed', 'pages of this origin may not connect')
    const auth = handshake.auth as Record<string, unknown>
    const version = auth['protocol']
    if (version !== undefined && version !== PROTOCOL_VERSION)
      throw new DocumentError(
        'unsupported-protocol',
        `this server speaks protocol version ${PROTOCOL_VERSION}`,
      )
    return { auth, headers: handshake.headers, address: this.#addressOf(handshake) }
  }

  #handleDisconnected(socket: Socket, { seats, guard }: Served): void {
    const { conn } = socket
    seats.of(conn).isConnected = false
    seats.leave(conn)
    guard?.handleLeft(conn as unknown as GuardedEngine)
    DirectReader.stop(socket)
    PEERS.get(socket)?.handleDisconnect()
  }

  #addressOf({ headers, address }: Socket['handshake']): string {
    return clientAddress(headers, address, this.#options.trustedProxies)
  }

  #handleConnection(socket: Socket, served: Served): void {
    limitArguments(socket)
    if (this.#identities.has(socket)) this.#begin(socket, served)
    else this.#admitConnected(socket, served)
  }

  /**
   * A socket that Socket.IO recovered (`connectionStateRecovery`) has passed no middleware. It is connected already, so it
   * is asked here who it is, and what it sends meanwhile waits. When it is refused, its requests hear why before it is
   * disconnected: it would be recovered again and again without a reason.
   */
  #admitConnected(socket: Socket, served: Served): void {
    // Before its first answer a client sends nothing but a join for each of its documents.
    const maxHeld = this.#options.maxDocumentsPerConnection
    const held: { readonly event: readonly unknown[]; readonly pass: () => void }[] = []
    let handle = (event: readonly unknown[], pass: () => void): void => {
      if (held.length < maxHeld) held.push({ event, pass })
      else socket.disconnect(false)
    }
    socket.use((event, next) => handle(event, next))
    this.#asking(socket, served).then(
      () => {
        this.#begin(socket, served)
        for (const { pass } of held.splice(0)) pass()
        handle = (_event, pass) => pass()
      },
      (error: unknown) => {
        const refusal = this.#asDocumentError(error).toRefusal()
        const refuse = (event: readonly unknown[]): void => {
          const answer = event.at(-1)
          if (typeof answer === 'function') answer(refusal)
        }
        if (held.length > 0) {
          for (const { event } of held.splice(0)) refuse(event)
          socket.disconnect(false)
          return
        }
        const cancel = this.#options.clock.setTimer(REFUSED_SOCKET_MS, () =>
          socket.disconnect(false),
        )
        socket.once('disconnect', cancel)
        handle = (event) => {
          refuse(event)
          socket.disconnect(false)
        }
      },
    )
  }

  async #asking(socket: Socket, served: Served): Promise<void> {
    await this.#admit(socket, served)
  }

  #begin(socket: Socket, served: Served): void {
    const { frames, limits, guard, seats } = served
    const { conn } = socket
    const seat = seats.of(conn)
    const identity = this.#identities.get(socket)
    // A socket that is gone by now would never say so again.
    if (this.#isClosing || identity === undefined || !socket.connected || seat.isConnected) {
      socket.disconnect(false)
      return
    }
    seat.isConnected = true
    guard?.handleEntered(conn as unknown as GuardedEngine)
    const transport = new SocketTransport(socket, frames, limits)
    const peer = this.accept(transport, identity)
    PEERS.set(socket, peer)
    for (const [event, listener] of LISTENERS) socket.on(event, listener)
    const { stockPackets } = frames
    if (stockPackets !== null)
      DirectReader.read(socket, new PeerEvents(transport, stockPackets, peer))
    socket.on('error', this.#handleSocketError)
    socket.on('disconnect', served.handleDisconnected)
  }

  /** Takes in somebody who may come, over any transport; a simulation has one of its own. */
  accept(transport: Transport, identity: Identity): Accepted {
    const connection = new Connection(transport, identity, this.#services)
    this.#connections.add(connection)
    return new AcceptedConnection(connection, this.#door)
  }

  #refusalOf(event: ClientEvent, error: unknown): Refusal {
    const refusal = this.#asDocumentError(error).toRefusal()
    this.#options.logger.debug('refused a request', { event, code: refusal.code })
    return refusal
  }

  /** What is not ours to tell becomes `internal-error`. Whatever was no refusal is logged: an operator must act. */
  #asDocumentError(error: unknown): DocumentError {
    // The storage and the threads are let go before their last readers are: no fault, and nobody's concern but the reader's.
    if (this.#isClosing && !(error instanceof DocumentError)) {
      this.#options.logger.debug('a request ended with the server', { error })
      return new DocumentError('server-closing', 'the server is closing', { cause: error })
    }
    const known = asDocumentError(error)
    if (known !== error) this.#options.logger.error('a request failed', { error })
    if (known !== null && known.limit !== null) this.#services.handleLimitHit(known.limit)
    if (known !== null) return known
    return new DocumentError('internal-error', 'the server could not do this', { cause: error })
  }
}

/** By shape, not by class: the host may have another copy of socket.io. */
function isNamespace(target: AttachTarget): target is Namespace {
  return 'server' in target && 'adapter' in target && 'sockets' in target && !('of' in target)
}

function isSocketIOServer(target: AttachTarget): target is SocketIOServer {
  return 'of' in target && typeof target.of === 'function'
}
