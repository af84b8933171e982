import type { Channel } from './channel.ts'
import type { Clock } from './clock.ts'
import type { ProviderError } from './provider-error.ts'
import type { SocketIOOptions } from './socket-io-wire.ts'
import type { Network } from './wire.ts'

export type ConnectionStatus = 'connecting' | 'connected' | 'disconnected'

/**
 * Why a token is asked for: to connect, because the one before ends soon (`expiring`), or because the server takes that one no
 * longer (`rejected`).
 */
export type TokenReason = 'connect' | 'expiring' | 'rejected'

/** A token, or a function that is asked for one at every attempt to connect, and whenever the server wants a newer one. */
export type TokenSource =
  | string
  | null
  | ((reason: TokenReason) => string | null | Promise<string | null>)

export interface ConnectionOptions {
  readonly url: string
  /** Default null: anonymous. */
  readonly token?: TokenSource | undefined
  /** More for the Socket.IO handshake, for the application's own checks. */
  readonly auth?: Readonly<Record<string, unknown>> | undefined
  /** Sent in the query of the connection's URL. */
  readonly params?: Readonly<Record<string, string>> | undefined
  /** The longest pause between two attempts, in milliseconds. Default 30,000. */
  readonly maxBackoffTime?: number | undefined
  /** Passed to socket.io-client, except what the connection decides itself (`reconnection`, `forceNew`, …). */
  readonly socketIo?: SocketIOOptions | undefined
  /** Default: Socket.IO. A test or simulation puts its own here. */
  readonly network?: Network | undefined
  /** Default: the system's. */
  readonly clock?: Clock | undefined
}

/** A document that wants to be online through this connection. */
export interface ConnectionMember {
  handleStatus(status: ConnectionStatus): void
  handleOpen(channel: Channel): void
  /** Sends what waits now: the wire is about to end. */
  flush(): void
  /** The wire that was open has ended. */
  handleDown(reason: string): void
  handleFailedAttempt(error: ProviderError): void
  /** Nobody will try again until somebody calls `attach`. */
  handleRefused(error: ProviderError): void
}

export interface ConnectionEvents {
  status: (event: { status: ConnectionStatus }) => void
  error: (error: ProviderError) => void
}
