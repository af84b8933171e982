import type {
  AccessChange,
  CheckAnswer,
  CheckRequest,
  ChunkAnswer,
  ChunkRequest,
  Closed,
  DocumentHandle,
  JoinAnswer,
  JoinRequest,
  PullAnswer,
  PullRequest,
  Refusal,
  TokenAnswer,
  UpdateAnswer,
  UploadReference,
} from '../protocol/index.ts'
import type { NoAnswer, ProviderError } from './provider-error.ts'

/** What a client can ask, and what it is answered. */
export interface Requests {
  join: { arguments: readonly [request: JoinRequest]; answer: JoinAnswer }
  update: {
    arguments: readonly [document: DocumentHandle, update: Uint8Array | UploadReference]
    answer: UpdateAnswer
  }
  chunk: {
    arguments: readonly [document: DocumentHandle, chunk: ChunkRequest, bytes: Uint8Array]
    answer: ChunkAnswer
  }
  pull: { arguments: readonly [document: DocumentHandle, request: PullRequest]; answer: PullAnswer }
  check: {
    arguments: readonly [document: DocumentHandle, request: CheckRequest]
    answer: CheckAnswer
  }
  token: { arguments: readonly [token: string]; answer: TokenAnswer }
}

/** What a client can say without expecting an answer. */
export interface Notices {
  awareness: readonly [document: DocumentHandle, update: Uint8Array]
  leave: readonly [document: DocumentHandle, clientId: number]
}

export type RequestName = keyof Requests
export type Outcome<Name extends RequestName> = Requests[Name]['answer'] | Refusal | NoAnswer

/**
 * One life of a network connection: it opens once, or fails, and ends once. A simulation puts its
 * own network in place of Socket.IO here.
 */
export interface Wire {
  /**
   * Answers come by callback, not by promise, and in the order in which they arrived among the
   * events: a promise would let a later event overtake the answer. No answer ever comes after the end.
   */
  request<Name extends RequestName>(
    name: Name,
    args: Requests[Name]['arguments'],
    handleAnswer: (outcome: Outcome<Name>) => void,
  ): void
  send<Name extends keyof Notices>(name: Name, args: Notices[Name]): void
  /**
   * Ends it, after everything sent so far is on its way; at once where nothing of this page will run later. The listener hears
   * nothing any more.
   */
  close(isAtOnce?: boolean): void
}

export interface WireListener {
  handleOpen(): void
  /** It could not be opened. `permanent` errors will not heal by trying again. */
  handleOpenFailed(error: ProviderError): void
  /** It was open and has ended, for this reason. */
  handleDown(reason: string): void
  handleUpdate(document: DocumentHandle, from: number, to: number, update: Uint8Array): void
  handleAwareness(document: DocumentHandle, update: Uint8Array): void
  handleClosed(document: DocumentHandle, closed: Closed): void
  /** The document stays open, and we may do more or less in it. */
  handleAccess(document: DocumentHandle, change: AccessChange): void
  /** The token that we came with ends in so many milliseconds. */
  handleExpiring(expiresInMs: number): void
}

/** Where to connect to and as whom. */
export interface WireTarget {
  readonly url: string
  /** Sent with the Socket.IO handshake: protocol version, token, and what the application adds. */
  readonly auth: Readonly<Record<string, unknown>>
  /** Counts the attempts that failed since the last success; a wire may try another transport. */
  readonly failures: number
}

/** Starts to open a wire. The listener is never called before this has returned. */
export type Network = (target: WireTarget, listener: WireListener) => Wire
