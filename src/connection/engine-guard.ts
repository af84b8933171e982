import type { IncomingMessage } from 'node:http'
import { addressGroup, clientAddress } from '../access/client-address.ts'
import type { CancelTimer, Clock } from '../clock.ts'
import { emitterListener } from './emitter-listener.ts'

/** What is used here of engine.io's socket. */
export interface GuardedEngine {
  readonly request: IncomingMessage
  /** The content of a message of the client; pings and pongs have none. */
  on(event: 'data', listener: (this: GuardedEngine) => void): void
  on(event: 'close', listener: (this: GuardedEngine, reason: string, cause?: unknown) => void): void
  off(event: 'data', listener: (this: GuardedEngine) => void): void
  close(discard: boolean): void
}

interface EngineGuardOptions {
  readonly clock: Clock
  readonly trustedProxies: number
  readonly maxConnectionsPerAddress: number
  readonly handleLimitHit: (limit: string) => void
}

/** An engine connection, with a socket in the namespace or not. */
interface Visitor {
  readonly address: string
  /** What it said while it had none. */
  messages: number
  /** It had one, and is closed soon. */
  cancelLeaving: CancelTimer | null
}

/** Beyond the limit so many may connect and be told by a code, before the rest are refused without one. */
const ROOM_FOR_REFUSALS = 32

/** A client sends one message before it is let in: that it wants to be. With a token refused, another. */
const MAX_MESSAGES_BEFORE_ADMISSION = 64

/** An engine connection without a socket in the namespace is no client: as long as one has to enter it at first. */
export const ENTRY_TIMEOUT_MS = 10_000

/**
 * What somebody can cost who connects and does not become a client, on a Socket.IO server of our own: engine connections of an address are
 * counted before they are made, may say little until they are let in, and end when they have no socket. [T28]
 */
export class EngineGuard {
  readonly #options: EngineGuardOptions
  readonly #open = new Map<string, number>()
  readonly #visitors = new WeakMap<object, Visitor>()
  readonly #handleMessage = emitterListener((engine: GuardedEngine) => this.#countMessage(engine))
  readonly #handleClosed = emitterListener(
    (engine: GuardedEngine, _reason: string, cause?: unknown) => this.#forget(engine, cause),
  )

  constructor(options: EngineGuardOptions) {
    this.#options = options
  }

  mayOpen(request: IncomingMessage): boolean {
    const { maxConnectionsPerAddress, handleLimitHit } = this.#options
    const open = this.#open.get(this.#addressOf(request)) ?? 0
    if (open < maxConnectionsPerAddress + ROOM_FOR_REFUSALS) return true
    handleLimitHit('maxConnectionsPerAddress')
    return false
  }

  watch(engine: GuardedEngine): void {
    const address = this.#addressOf(engine.request)
    this.#open.set(address, (this.#open.get(address) ?? 0) + 1)
    this.#visitors.set(engine, { address, messages: 0, cancelLeaving: null })
    engine.on('data', this.#handleMessage)
    engine.on('close', this.#handleClosed)
  }

  /** It has a socket in the namespace: what it says is that one's concern. */
  handleEntered(engine: GuardedEngine): void {
    const visitor = this.#visitors.get(engine)
    visitor?.cancelLeaving?.()
    if (visitor !== undefined) visitor.cancelLeaving = null
    engine.off('data', this.#handleMessage)
  }

  /** Its socket in the namespace is gone. Not for good, if it enters again soon. */
  handleLeft(engine: GuardedEngine): void {
    const visitor = this.#visitors.get(engine)
    // Its connection is gone too, or it has left before.
    if (visitor === undefined || visitor.cancelLeaving !== null) return
    visitor.cancelLeaving = this.#options.clock.setTimer(ENTRY_TIMEOUT_MS, () => engine.close(true))
    engine.on('data', this.#handleMessage)
  }

  #countMessage(engine: GuardedEngine): void {
    const visitor = this.#visitors.get(engine)
    if (visitor !== undefined && ++visitor.messages > MAX_MESSAGES_BEFORE_ADMISSION)
      engine.close(true)
  }

  #forget(engine: GuardedEngine, cause: unknown): void {
    const visitor = this.#visitors.get(engine)
    if (visitor !== undefined) {
      this.#visitors.delete(engine)
      visitor.cancelLeaving?.()
      const left = (this.#open.get(visitor.address) ?? 1) - 1
      if (left > 0) this.#open.set(visitor.address, left)
      else this.#open.delete(visitor.address)
    }
    if (isTooLong(cause)) this.#options.handleLimitHit('maxMessageBytes')
  }

  #addressOf(request: IncomingMessage): string {
    const { headers, socket } = request
    return addressGroup(
      clientAddress(headers, socket.remoteAddress ?? '', this.#options.trustedProxies),
    )
  }
}

/** How ws says that a message exceeds what it takes; engine.io passes it on as the text of its own error. */
function isTooLong(cause: unknown): boolean {
  return cause instanceof Error && cause.message.includes('Max payload size exceeded')
}
