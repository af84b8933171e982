export { DEFAULT_NAMESPACE, PROTOCOL_VERSION } from './version.ts'
export { ERROR_CODES, isErrorCode, refusal } from './error-code.ts'
export type { ErrorCode, Refusal, Retry } from './error-code.ts'
export {
  CHUNK_BYTES,
  DIGEST_BYTES,
  LARGE_MESSAGE_BYTES,
  MAX_CLOCK,
  MAX_DOCUMENT_NAME_BYTES,
} from './limits.ts'
export { documentNameFault, isDocumentName } from './document-name.ts'
export type { DocumentName } from './document-name.ts'
export { MAX_EPOCH_LENGTH, isSequenceNumber } from './cursor.ts'
export type { Cursor, Epoch } from './cursor.ts'
export { mergeAsTree } from './merge-updates.ts'
export type {
  AccessChange,
  AccessChangeCode,
  Answer,
  CheckAnswer,
  CheckRequest,
  ChunkAnswer,
  ChunkPullRequest,
  ChunkRequest,
  ClientToServerEvents,
  Closed,
  DocumentHandle,
  Done,
  JoinAnswer,
  JoinRequest,
  Limits,
  PullAnswer,
  PullRequest,
  ServerToClientEvents,
  SnapshotReference,
  TokenAnswer,
  UpdateAnswer,
  UploadReference,
} from './messages.ts'
