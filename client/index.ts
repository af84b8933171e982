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
export { SocketIOConnection } from './connection.ts'
export type {
  ConnectionEvents,
  ConnectionOptions,
  ConnectionStatus,
  TokenSource,
} from './connection-options.ts'
export { systemClock } from './clock.ts'
export type { CancelTimer, Clock } from './clock.ts'
export { socketIONetwork } from './socket-io-wire.ts'
export type { SocketIOOptions } from './socket-io-wire.ts'
export type { Network, Wire, WireListener, WireTarget } from './wire.ts'
