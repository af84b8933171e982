import type { IncomingMessage } from 'node:http'
import { addressGroup, clientAddress } from '../access/client-address.ts'
import type { CancelTimer, Clock } from '../clock.ts'

/** What is used here of engine.io's socket. */
export interface GuardedEngine {
  readonly request: IncomingMessage
  on(event: 'packet', listener: (packet: { readonly type: string }) => void): void
  on(event: 'close', listener: (reason: string, cause?: unknown) => void): void
  close(discard: boolean): void
}

interface EngineGuardOptions {
  readonly clock: Clock
  readonly trustedProxies: number
  readonly maxConnectionsPerAddress: number
  readonly handleLimitHit: (limit: string) => void
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
  readonly #entered = new WeakSet<object>()
  readonly #leaving = new WeakMap<object, CancelTimer>()

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
    let messages = 0
    engine.on('packet', ({ type }) => {
      if (type !== 'message' || this.#entered.has(engine)) return
      if (++messages > MAX_MESSAGES_BEFORE_ADMISSION) engine.close(true)
    })
    engine.on('close', (_reason, cause) => {
      this.#leaving.get(engine)?.()
      const left = (this.#open.get(address) ?? 1) - 1
      if (left > 0) this.#open.set(address, left)
      else this.#open.delete(address)
      if (isTooLong(cause)) this.#options.handleLimitHit('maxMessageBytes')
    })
  }

  /** It has a socket in the namespace. */
  handleEntered(engine: object): void {
    this.#entered.add(engine)
    this.#leaving.get(engine)?.()
    this.#leaving.delete(engine)
  }

  /** Its socket in the namespace is gone. Not for good, if it enters again soon. */
  handleLeft(engine: GuardedEngine): void {
    this.#entered.delete(engine)
    this.#leaving.set(
      engine,
      this.#options.clock.setTimer(ENTRY_TIMEOUT_MS, () => engine.close(true)),
    )
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
