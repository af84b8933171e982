import type { Epoch } from '../../protocol/index.ts'
import type { ProviderError } from '../provider-error.ts'

/**
 * Keeps a Y.Doc on this device. The `IndexeddbPersistence` of y-indexeddb is one as it is; what only
 * a `TrackedPersistence` knows (whether a change is on disk, which changes the server lacks) is then
 * unknown, and nothing is claimed about it.
 */
export interface LocalPersistence {
  /** Everything that was stored is in the document. */
  readonly synced: boolean
  readonly whenSynced: Promise<unknown>
  /** Ends the storing; what is stored stays. */
  destroy(): Promise<void> | void
  /** Ends the storing and deletes what is stored. */
  clearData?(): Promise<void>
  get?(key: string): Promise<unknown>
  set?(key: string, value: unknown): Promise<unknown>
}

/** What the device held of a document. */
export interface LoadedCopy {
  /** The history that the bytes belong to; null if they never met a server. */
  readonly epoch: Epoch | null
  /** Changes that no server has confirmed, as one Yjs update. */
  readonly pending: Uint8Array | null
  /** How many changes `pending` stands for. */
  readonly pendingChanges: number
  /** There are bytes of which nobody knows whether a server has them: somebody else wrote them. */
  readonly isUnverified: boolean
}

/** Whoever brings the document to a server, as its local copy sees it. */
export interface PersistenceClient {
  readonly documentName: string
  readonly serverUrl: string
  /** Whether the server has this change already, so that nobody needs to send it. */
  isConfirmed(origin: unknown): boolean
  /** Another page stores this change where we store ours, and `handleStoredElsewhere` tells when it has. Absent: never. */
  isStoredElsewhere?(origin: unknown): boolean
  /** Asked before stored bytes enter the document: false sets them aside, since they are of another history. */
  acceptsEpoch(epoch: Epoch): boolean
  handleLoaded(copy: LoadedCopy): void
  /** `isStored` may have changed. */
  handleStored(): void
  handleError(error: ProviderError): void
}

/** A persistence that knows what is on disk, and which of it the server has not confirmed. */
export interface TrackedPersistence extends LocalPersistence {
  /** Every change of the document is committed on this device. Also true while it loads, unless there was an edit. */
  readonly isStored: boolean
  /** Pages with the same name here share what is stored: each change needs to be stored by one of them. Absent: nothing is shared. */
  readonly sharedName?: string
  /** As `isStored`, of the changes that this page stores itself. Needed with `sharedName`. */
  readonly isOwnStored?: boolean
  /** All changes so far that other pages were to store are stored. Needed with `sharedName`. */
  handleStoredElsewhere?(): void
  /** At most one at a time; null lets go. */
  attach(client: PersistenceClient | null): void
  /** From now on the document is of this history: stored with everything that follows. */
  stampEpoch(epoch: Epoch): void
  /** Everything that the document holds now is durable on the server. */
  confirm(): void
  /** Stores an update that the document holds without showing it, since it lacks what that builds on. */
  storeWaiting?(update: Uint8Array): void
  /** Another page that had the document is gone: it may have left unconfirmed changes on the device, or not stored what it was to store. */
  handlePageGone?(): void
  /** The history that is stored has ended: keeps its bytes apart, and ends this persistence. */
  setAside(): Promise<void>
}

export function isTracked(persistence: LocalPersistence): persistence is TrackedPersistence {
  return 'attach' in persistence && 'stampEpoch' in persistence && 'confirm' in persistence
}
