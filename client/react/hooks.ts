import { useCallback, useSyncExternalStore } from 'react'
import type * as Y from 'yjs'
import type { ConnectionStatus } from '../connection-options.ts'
import type { ProviderState, SaveState } from '../provider-events.ts'
import { AwarenessView, type Participant } from './awareness-view.ts'
import { useProvider } from './contexts.ts'

/** Everything that a provider tells about itself; renders again whenever any of it changes. */
export function useProviderState(): ProviderState {
  const { subscribe, getSnapshot } = useProvider()
  return useSyncExternalStore(subscribe, getSnapshot, getSnapshot)
}

function useField<Field extends keyof ProviderState>(field: Field): ProviderState[Field] {
  const { subscribe, getSnapshot } = useProvider()
  const read = (): ProviderState[Field] => getSnapshot()[field]
  return useSyncExternalStore(subscribe, read, read)
}

/** The Y.Doc. It is there from the first rendering; what it holds arrives (see `useSynced`). */
export function useDocument(): Y.Doc {
  return useProvider().doc
}

/** Where local changes are; see `SaveState`. */
export function useSaveState(): SaveState {
  return useField('saveState')
}

export function useConnectionStatus(): ConnectionStatus {
  return useField('status')
}

/** Everything that the server had when we joined is here. */
export function useSynced(): boolean {
  return useField('synced')
}

/** The server takes no edits of ours: the editor should not either. */
export function useReadOnly(): boolean {
  return useField('readOnly')
}

/** Everybody in the document who announces a state, this client among them. */
export function useAwareness<State = Record<string, unknown>>(): readonly Participant<State>[] {
  const { subscribe, getSnapshot } = AwarenessView.of(useProvider().awareness)
  return useSyncExternalStore(subscribe, getSnapshot, getSnapshot) as readonly Participant<State>[]
}

/** The others, and what sets fields of one's own state. */
export function usePresence<State extends object = Record<string, unknown>>(): readonly [
  others: readonly Participant<State>[],
  announce: (fields: Partial<State>) => void,
] {
  const { awareness } = useProvider()
  const others = useAwareness<State>().filter(({ isSelf }) => !isSelf)
  const announce = useCallback(
    (fields: Partial<State>) =>
      awareness.setLocalState({ ...(awareness.getLocalState() as object | null), ...fields }),
    [awareness],
  )
  return [others, announce]
}
