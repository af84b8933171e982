import type { EventEmitter } from 'node:events'
import type { Server as HttpServer } from 'node:http'
import { Server as SocketIOServer, type Namespace, type Socket } from 'socket.io'
import { DEFAULT_NAMESPACE, PROTOCOL_VERSION, type Refusal } from '../../protocol/index.ts'
import type { User } from '../access/access.ts'
import { identify } from '../access/decisions.ts'
import { isOriginAllowed } from '../access/origin.ts'
import { asDocumentError, DocumentError } from '../errors.ts'
import type { ResolvedOptions } from '../options.ts'
import { Connection, type ConnectionServices } from './connection.ts'
import { FrameCache, SocketTransport } from './socket-transport.ts'

export type AttachTarget = HttpServer | SocketIOServer | Namespace

type AnyListener = (...args: unknown[]) => void

/** Socket.IO refuses a connection with an error; `data` reaches the client. */
class ConnectionRefused extends Error {
  readonly data: Omit<Refusal, 'ok'>

  constructor(error: DocumentError) {
    super(error.message)
    this.data = { code: error.code, retry: error.retry, message: error.message }
  }
}

/**
 * The one place where Socket.IO is listened to. Every listener goes through `answering`, so that neither a throw,
 * a rejected promise, nor a missing acknowledgement can reach the process. [T27]
 */
export class Gateway {
  readonly #options: ResolvedOptions
  readonly #services: ConnectionServices
  readonly #connections = new Set<Connection>()
  readonly #users = new WeakMap<Socket, User | null>()
  /** Engine connections that have a socket here: one TCP connection may not open a thousand. */
  readonly #connected = new WeakSet<object>()
  readonly #detach: (() => void)[] = []
  #isClosing = false

  constructor(options: ResolvedOptions, services: ConnectionServices) {
    this.#options = options
    this.#services = services
  }

  get connectionCount(): number {
    return this.#connections.size
  }

  /**
   * Serves a namespace as it is, `/y-rooms` of a Socket.IO server, or a Socket.IO server of our own on an
   * HTTP server.
   */
  attach(target: AttachTarget): void {
    if (isNamespace(target)) this.#serve(target, false)
    else if (isSocketIOServer(target)) this.#serve(target.of(DEFAULT_NAMESPACE), false)
    else this.#attachToHttpServer(target)
  }

  /** From now on every request is refused with `server-closing`; what was accepted is still acknowledged. */
  stopAccepting(): void {
    this.#isClosing = true
  }

  /** Tells every client to come back later and disconnects it. What the host created stays open. */
  close(): void {
    this.#isClosing = true
    const closing = new DocumentError('server-closing', 'the server is closing')
    for (const connection of [...this.#connections]) connection.endAll(closing)
    for (const detach of this.#detach) detach()
    this.#detach.length = 0
  }

  #attachToHttpServer(httpServer: HttpServer): void {
    // Its listeners are looked at by name, whatever names there are.
    const server: EventEmitter = httpServer
    const { pingIntervalMs, pingTimeoutMs, allowedOrigins } = this.#options
    const before = new Map(server.eventNames().map((name) => [name, server.listeners(name)]))
    const io = new SocketIOServer(httpServer, {
      serveClient: false,
      // Other WebSocket servers on the same HTTP server keep their upgrades.
      destroyUpgrade: false,
      perMessageDeflate: false,
      pingInterval: pingIntervalMs,
      pingTimeout: pingTimeoutMs,
      // A connection that has not chosen a namespace by then is not a client.
      connectTimeout: 10_000,
      allowRequest: (request, decide) =>
        decide(null, isOriginAllowed(request.headers, allowedOrigins)),
      cors: {
        // Decided by allowRequest; here only the header that lets the page read what it was allowed.
        origin: (origin, decide) => decide(null, origin),
        credentials: true,
      },
    })
    io.of('/').use((_socket, next) =>
      next(new Error(`connect to the namespace ${DEFAULT_NAMESPACE}`)),
    )
    const added = server.eventNames().map((name) => {
      const earlier = before.get(name) ?? []
      return {
        name,
        earlier,
        ours: server.listeners(name).filter((listener) => !earlier.includes(listener)),
      }
    })
    this.#detach.push(() => {
      io.engine.close()
      for (const { name, earlier, ours } of added) {
        for (const listener of ours) server.removeListener(name, listener as AnyListener)
        // Engine.IO put itself before the host's request listeners; they take their place again.
        for (const listener of earlier)
          if (!server.listeners(name).includes(listener)) server.on(name, listener as AnyListener)
      }
    })
    this.#serve(io.of(DEFAULT_NAMESPACE), true)
  }

  #serve(namespace: Namespace, isOurServer: boolean): void {
    const frames = new FrameCache(namespace)
    const onConnection = (socket: Socket): void => this.#handleConnection(socket, frames)
    namespace.use((socket, next) => {
      // Middleware cannot be taken off; after `close` the namespace is its host's alone.
      if (this.#isClosing && !isOurServer) {
        next()
        return
      }
      this.#admit(socket).then(
        () => next(),
        (error: unknown) => next(new ConnectionRefused(this.#asDocumentError(error))),
      )
    })
    namespace.on('connection', onConnection)
    this.#detach.unshift(() => {
      namespace.off('connection', onConnection)
      // Under a server of our own the engine is closed instead: a client that loses its connection comes back by
      // itself, one that is disconnected by name does not.
      if (isOurServer) return
      for (const socket of namespace.sockets.values())
        if (this.#users.has(socket)) socket.disconnect(false)
    })
  }

  async #admit(socket: Socket): Promise<void> {
    if (this.#isClosing) throw new DocumentError('server-closing', 'the server is closing')
    const { handshake, conn } = socket
    if (this.#connected.has(conn))
      throw new DocumentError('already-connected', 'this connection is open in this namespace')
    this.#connected.add(conn)
    try {
      this.#users.set(socket, await this.#identify(handshake))
    } catch (error) {
      this.#connected.delete(conn)
      throw error
    }
  }

  async #identify(handshake: Socket['handshake']): Promise<User | null> {
    const { allowedOrigins, authenticate } = this.#options
    if (!isOriginAllowed(handshake.headers, allowedOrigins))
      throw new DocumentError('origin-not-allowed', 'pages of this origin may not connect')
    const auth = handshake.auth as Record<string, unknown>
    const version = auth['protocol']
    if (version !== undefined && version !== PROTOCOL_VERSION)
      throw new DocumentError(
        'unsupported-protocol',
        `this server speaks protocol version ${PROTOCOL_VERSION}`,
      )
    return identify(authenticate, { auth, headers: handshake.headers, address: handshake.address })
  }

  #handleConnection(socket: Socket, frames: FrameCache): void {
    const { clock, outboxSoftBytes, outboxHardBytes, outboxStallMs } = this.#options
    const user = this.#users.get(socket)
    if (this.#isClosing || user === undefined) {
      socket.disconnect(false)
      return
    }
    const transport = new SocketTransport(socket, frames, {
      clock,
      softBytes: outboxSoftBytes,
      hardBytes: outboxHardBytes,
      stallMs: outboxStallMs,
    })
    const connection = new Connection(transport, user, this.#services)
    this.#connections.add(connection)
    const on = (event: string, handle: (...args: unknown[]) => unknown): void => {
      socket.on(event, (...args: unknown[]) => this.#answering(event, handle, args))
    }
    on('join', (request) => connection.handleJoin(request))
    on('update', (document, update) => connection.handleUpdate(document, update))
    on('chunk', (document, chunk, bytes) => connection.handleChunk(document, chunk, bytes))
    on('awareness', (document, update) => connection.handleAwareness(document, update))
    on('pull', (document, request) => connection.handlePull(document, request))
    on('leave', (document, clientId) => connection.handleLeave(document, clientId))
    socket.on('error', (error: Error) => {
      this.#options.logger.debug('a socket reported an error', { error })
    })
    socket.once('disconnect', () => {
      this.#connected.delete(socket.conn)
      this.#connections.delete(connection)
      connection.handleDisconnect()
    })
  }

  #answering(event: string, handle: (...args: unknown[]) => unknown, args: unknown[]): void {
    const last = args.at(-1)
    const answer = typeof last === 'function' ? (args.pop() as (answer: unknown) => void) : null
    const refuse = (error: unknown): void => {
      const refusal = this.#asDocumentError(error).toRefusal()
      this.#options.logger.debug('refused a request', { event, code: refusal.code })
      answer?.(refusal)
    }
    try {
      if (this.#isClosing) throw new DocumentError('server-closing', 'the server is closing')
      const result = handle(...args)
      if (result instanceof Promise) result.then((value) => answer?.(value)).catch(refuse)
      else answer?.(result)
    } catch (error) {
      refuse(error)
    }
  }

  /** What is not ours to tell becomes `internal-error`, and is logged with its cause. */
  #asDocumentError(error: unknown): DocumentError {
    const known = asDocumentError(error)
    if (known !== null) return known
    this.#options.logger.error('a request failed', { error })
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
