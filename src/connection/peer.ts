import type { AccessChange, DocumentHandle, ErrorCode } from '../../protocol/index.ts'
import type { User } from '../access/access.ts'
import type { OpenDocument } from '../document/open-document.ts'
import type { UpdateMessage } from '../document/update-message.ts'
import type { DocumentError } from '../errors.ts'
import type { Outbox } from './outbox.ts'

/** The other end of a connection, as its sessions see it. */
export interface Peer {
  readonly user: User | null
  readonly outbox: Outbox
  /** A session of this connection was closed by us: a Y.Doc that has not heard of it may send through the next one. */
  readonly hasStragglers: boolean
  sendUpdate(document: DocumentHandle, message: UpdateMessage): void
  sendAwareness(document: DocumentHandle, update: Uint8Array): void
  sendAccess(document: DocumentHandle, change: AccessChange): void
  sendClosed(document: DocumentHandle, error: DocumentError): void
  /** `code`: why the server ended it. */
  handleSessionEnd(document: OpenDocument, code: ErrorCode | null): void
}
