export { createDocumentServer } from './server.ts'
export type { DocumentServer } from './server.ts'
export type { ServerOptions } from './options.ts'
export type { AttachTarget } from './connection/gateway.ts'
export type { DocumentEditor } from './document/document-editor.ts'
export { levelStorage } from './storage/level-storage.ts'
export type { LevelStorageOptions } from './storage/level-storage.ts'
export { memoryStorage } from './storage/memory-storage.ts'
export type {
  Append,
  AppendOutcome,
  DocumentHead,
  ListRequest,
  LogEntry,
  NewEntry,
  NewSnapshot,
  Storage,
  StoredSnapshot,
} from './storage/storage.ts'
export { jwtAuthenticate } from './access/jwt-authenticate.ts'
export type { JwtOptions } from './access/jwt-authenticate.ts'
export type {
  ChangedPresence,
  ClosedDocument,
  CommittedUpdate,
  Hooks,
  OpenedDocument,
  ProposedUpdate,
} from './access/hooks.ts'
export type { DocumentPatterns } from './access/document-patterns.ts'
export type { Access, Authenticate, Authorize, Handshake, User } from './access/access.ts'
export { DocumentError, OptionError, StorageError } from './errors.ts'
export type { StorageErrorCode } from './errors.ts'
export type { Logger, LogFields } from './telemetry/logger.ts'
export type { CancelTimer, Clock } from './clock.ts'
export type { DocumentName } from '../protocol/index.ts'
