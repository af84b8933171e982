export { SocketIOProvider } from './provider.ts'
export type { ProviderConfig, ProviderOptions } from './provider-options.ts'
export type {
  CloseDescription,
  ConnectionPhase,
  EditorAwareness,
  ProviderEvents,
  ProviderState,
  SaveState,
  Scope,
} from './provider-events.ts'
export type { ProviderCallbacks } from './provider-callbacks.ts'
export type { StatesEntry } from './presence-events.ts'
export type { WhenSavedOptions } from './save-waiters.ts'
export { ProviderError } from './provider-error.ts'
export type { ClientErrorCode, ProviderErrorCode } from './provider-error.ts'
export { IndexedDBPersistence } from './persistence/indexeddb-persistence.ts'
export type {
  IndexedDBPersistenceEvents,
  IndexedDBPersistenceOptions,
} from './persistence/indexeddb-persistence.ts'
export { listPendingDocuments, syncPending } from './persistence/pending-documents.ts'
export type {
  PendingDocument,
  SyncOutcome,
  SyncPendingOptions,
} from './persistence/pending-documents.ts'
export type { AsideCopy } from './persistence/document-rows.ts'
export type {
  LoadedCopy,
  LocalPersistence,
  PersistenceClient,
  TrackedPersistence,
} from './persistence/local-persistence.ts'
export type { PersistenceSource } from './local-copy.ts'
export { SocketIOConnection } from './connection.ts'
export type {
  ConnectionEvents,
  ConnectionOptions,
  ConnectionStatus,
  TokenReason,
  TokenSource,
} from './connection-options.ts'
export { systemClock } from './clock.ts'
export type { CancelTimer, Clock } from './clock.ts'
export { socketIONetwork } from './socket-io-wire.ts'
export type { SocketIOOptions } from './socket-io-wire.ts'
export type { Network, Wire, WireListener, WireTarget } from './wire.ts'
