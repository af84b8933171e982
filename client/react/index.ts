export { ConnectionProvider, DocumentProvider, useProvider } from './contexts.ts'
export type { ConnectionProviderProps, DocumentProviderProps } from './contexts.ts'
export {
  useAwareness,
  useConnectionStatus,
  useDocument,
  usePresence,
  useProviderState,
  useReadOnly,
  useSaveState,
  useSynced,
} from './hooks.ts'
export type { Participant } from './awareness-view.ts'
