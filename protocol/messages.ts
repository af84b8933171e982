import type { Epoch } from './cursor.ts'
import type { ErrorCode, Refusal, Retry } from './error-code.ts'

/**
 * A document's number on this server, given in the answer to `join`. It stands for the name in all
 * further messages, holds as long as the connection, and is never given to another document.
 */
export type DocumentHandle = number

export interface JoinRequest {
  readonly document: string
  /** The Yjs client id of the joining Y.Doc. One socket may join a document once per client id. */
  readonly clientId: number
  /**
   * A secret of this Y.Doc instance (at least 16 characters). Whoever shows it again may take the
   * client id over from an older socket, so that a reconnect is visible at once.
   */
  readonly key: string
  /**
   * Counts the joins of this Y.Doc instance, on whatever socket. An older join that was under way when its socket broke may
   * be answered after a newer one; it takes nothing over from it. Default 0.
   */
  readonly attempt?: number
  /** The history that the client holds. Absent: it has never synced this document. */
  readonly epoch?: Epoch
  /** Together with `epoch`: the client has every update up to this one. */
  readonly seq?: number
  /** The Yjs state vector of what the client holds. Absent or one zero byte: nothing. */
  readonly stateVector?: Uint8Array
}

export interface JoinAnswer {
  readonly ok: true
  readonly document: DocumentHandle
  readonly epoch: Epoch
  /** `snapshot` and `updates` bring the client up to this sequence number. */
  readonly seq: number
  /**
   * The end of the log as of this answer. Where `seq` is smaller, the client reads the rest with
   * `pull`; once it has everything up to `head` it is in sync.
   */
  readonly head: number
  readonly access: 'read' | 'write'
  /** What the server holds, as a Yjs state vector: upload what it lacks. */
  readonly stateVector: Uint8Array
  /** Yjs V1 updates to apply in order, after the snapshot if there is one. */
  readonly updates: readonly Uint8Array[]
  /** A snapshot too large for one message: read it with `pull` first, then apply `updates`. */
  readonly snapshot?: SnapshotReference
  /** The presence of everybody in the document, as a y-protocols awareness update. */
  readonly awareness?: Uint8Array
  readonly limits: Limits
}

/** An immutable run of bytes on the server, a snapshot or a log entry: one Yjs V1 update of `bytes` bytes in chunks of `chunkBytes`. */
export interface SnapshotReference {
  readonly seq: number
  readonly bytes: number
  readonly chunkBytes: number
}

export interface Limits {
  readonly updateBytes: number
  readonly chunkBytes: number
  readonly presenceBytes: number
}

export interface UpdateAnswer {
  readonly ok: true
  /** Durable at this sequence number. */
  readonly seq: number
  /**
   * Whether the update became the entry with that number. False: it changed nothing, and `seq` is the head, which may
   * be an entry of somebody else that has not been relayed yet.
   */
  readonly entry: boolean
}

/** Refers to bytes that `chunk` messages of this socket have brought. */
export interface UploadReference {
  readonly upload: number
}

export interface ChunkRequest {
  /** Chosen by the client; one per large update. */
  readonly upload: number
  /** Position of these bytes in the update. Chunks come in order, without holes. */
  readonly offset: number
  /** Length of the whole update in bytes. */
  readonly size: number
  /**
   * A secret of this upload, 16 to 128 characters: what has arrived is kept for a while when the connection is lost. Whoever
   * shows it again, with no bytes at offset 0, learns from where to go on.
   */
  readonly key?: string
}

export interface ChunkAnswer {
  readonly ok: true
  /** The upload is here up to this offset: the next chunk begins there. */
  readonly received: number
}

/** Asks for the log after a sequence number, or for one chunk of a snapshot or of a large log entry. */
export type PullRequest =
  | {
      readonly epoch: Epoch
      readonly after: number
      /** The client reads large entries in chunks. Default false: they come whole, in one message. */
      readonly chunked?: boolean
    }
  | ChunkPullRequest

export type ChunkPullRequest =
  | { readonly epoch: Epoch; readonly snapshot: number; readonly chunk: number }
  | { readonly epoch: Epoch; readonly entry: number; readonly chunk: number }

export interface PullAnswer {
  readonly ok: true
  /** The updates bring the client from `after` up to this sequence number. A chunk repeats the snapshot's. */
  readonly seq: number
  /** Updates to apply in order, at most about one chunk of bytes; or the one chunk that was asked for. */
  readonly updates: readonly Uint8Array[]
  /** The next entry is too large for one message: read it by its chunks. `seq` is that before it, and there are no `updates`. */
  readonly entry?: SnapshotReference
}

/** Asks whether the server's copy is the same as the client's, at the same sequence number. */
export interface CheckRequest {
  readonly epoch: Epoch
  /** The client has every entry up to this one, and nothing that was not acknowledged. */
  readonly seq: number
  /** The first 16 bytes of the SHA-256 of `Y.encodeSnapshot(Y.snapshot(doc))`: its delete set and its state vector. */
  readonly digest: Uint8Array
  /** An earlier check found that the copies had diverged, and that was healed: for the server's books. */
  readonly healed?: boolean
}

/**
 * `moved`: the server's log does not end there now; ask again at another quiet moment. With `different` comes what
 * the server has, as a state vector and as an update without structs that deletes all that is deleted.
 */
export type CheckAnswer =
  | { readonly ok: true; readonly result: 'same' | 'moved' }
  | {
      readonly ok: true
      readonly result: 'different'
      readonly stateVector: Uint8Array
      readonly deletions: Uint8Array
    }

export interface Done {
  readonly ok: true
}

/** Why the server ended a client's membership of a document. */
export interface Closed {
  readonly code: ErrorCode
  readonly retry: Retry
  readonly message: string
}

/** What the server says of a token that it took. */
export interface TokenAnswer {
  readonly ok: true
  /** How long it holds from now on, in milliseconds. Absent: it does not end. */
  readonly expiresInMs?: number
}

/**
 * Why access changed while the document was open: the application asked for it (`access-changed`), or a new token says so
 * (`token-refreshed`).
 */
export type AccessChangeCode = 'access-changed' | 'token-refreshed'

/** What a client may do from here on in a document that it has open. */
export interface AccessChange {
  readonly access: 'read' | 'write'
  readonly code: AccessChangeCode
}

export type Answer<Success> = (answer: Success | Refusal) => void

/** Events from client to server. An answer is always given when there is a function to give it to. */
export interface ClientToServerEvents {
  join: (request: JoinRequest, answer: Answer<JoinAnswer>) => void
  update: (
    document: DocumentHandle,
    update: Uint8Array | UploadReference,
    answer: Answer<UpdateAnswer>,
  ) => void
  chunk: (
    document: DocumentHandle,
    chunk: ChunkRequest,
    bytes: Uint8Array,
    answer: Answer<ChunkAnswer>,
  ) => void
  awareness: (document: DocumentHandle, update: Uint8Array, answer?: Answer<Done>) => void
  pull: (document: DocumentHandle, request: PullRequest, answer: Answer<PullAnswer>) => void
  check: (document: DocumentHandle, request: CheckRequest, answer: Answer<CheckAnswer>) => void
  leave: (document: DocumentHandle, clientId: number, answer?: Answer<Done>) => void
  /** New credentials for the same user, in place of those of the handshake. */
  token: (token: string, answer: Answer<TokenAnswer>) => void
}

/** Events from server to client. */
export interface ServerToClientEvents {
  /** One Yjs V1 update that stands for the log entries `from` to `to`, both included. */
  update: (document: DocumentHandle, from: number, to: number, update: Uint8Array) => void
  /** A y-protocols awareness update. Clocks are the server's; a client ignores its own id. */
  awareness: (document: DocumentHandle, update: Uint8Array) => void
  closed: (document: DocumentHandle, closed: Closed) => void
  access: (document: DocumentHandle, change: AccessChange) => void
  /** The credentials end this soon: send a new `token`. */
  expiring: (expiresInMs: number) => void
}
