import type * as Y from 'yjs'
import type { AccessChange, Epoch, JoinAnswer } from '../protocol/index.ts'
import type { Channel } from './channel.ts'
import type { Clock } from './clock.ts'
import type { ProviderError } from './provider-error.ts'
import type { SaveLedger } from './save-ledger.ts'

/** A seat in a document, as the server gave it. */
export interface Membership {
  readonly channel: Channel
  readonly handle: number
  readonly clientId: number
  readonly limits: JoinAnswer['limits']
}

export interface DocumentSyncOptions {
  readonly doc: Y.Doc
  readonly documentName: string
  readonly serverUrl: string
  /** Whose presence this is; asked at every join. */
  readonly clientId: () => number
  readonly ledger: SaveLedger
  readonly clock: Clock
  readonly maxBackoffMs: number
  /** Our document holds changes of other tabs that are on their way to the server. */
  readonly isWaitingForTabs: () => boolean
  /** Null: no self-checks. */
  readonly selfCheckIntervalMs: number | null
  /** The origin of transactions that bring remote updates. */
  readonly origin: object
  readonly handlers: DocumentSyncHandlers
}

export interface DocumentSyncHandlers {
  /** Everything that the server had at the time of the join is applied, or the server is lost. */
  handleSynced(isSynced: boolean): void
  /** What is applied from now on is of this history. */
  handleEpoch(epoch: Epoch): void
  handleJoined(membership: Membership, presence: Uint8Array | undefined): void
  handleLeft(): void
  /** We may do more or less in the document than the answer to the join said. */
  handleAccess(change: AccessChange): void
  handlePresence(update: Uint8Array): void
  handleProgress(receivedBytes: number, totalBytes: number): void
  handleUploadProgress(sentBytes: number, totalBytes: number): void
  handleSaved(): void
  handleRejected(error: ProviderError): void
  handleError(error: ProviderError): void
  /** Refused for good. Only `open` starts it again. */
  handleEnded(error: ProviderError): void
}
