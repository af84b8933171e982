import type { Awareness } from 'y-protocols/awareness'

/** One person's presence as Hocuspocus hands it over: the state with the Yjs client id in it. */
export interface StatesEntry {
  readonly clientId: number
  readonly [field: string]: unknown
}

/** Calls with all states when one was announced (`update`) or has changed (`change`). Returns what stops it. */
export function onPresence(
  awareness: Awareness,
  event: 'update' | 'change',
  handle: (states: () => StatesEntry[]) => void,
): () => void {
  const states = (): StatesEntry[] =>
    [...awareness.getStates()].map(([clientId, state]) => ({ ...state, clientId }))
  const listener = (): void => handle(states)
  awareness.on(event, listener)
  return () => awareness.off(event, listener)
}
