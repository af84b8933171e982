import type { Awareness } from 'y-protocols/awareness'
import { readPerson } from './person.ts'

/** What the binding of CodeMirror uses of an `Awareness`. */
type CursorAwareness = Pick<
  Awareness,
  'doc' | 'getLocalState' | 'setLocalStateField' | 'getStates' | 'on' | 'off'
>

/**
 * The binding writes other people's colours into style attributes as they come. This view of the
 * awareness lets only checked names and colours through.
 */
export function checkedAwareness(awareness: Awareness): CursorAwareness {
  return {
    doc: awareness.doc,
    getLocalState: () => awareness.getLocalState(),
    setLocalStateField: (field, value) => awareness.setLocalStateField(field, value),
    getStates() {
      const states = new Map<number, { [field: string]: unknown }>()
      for (const [clientId, state] of awareness.getStates())
        states.set(clientId, { cursor: state['cursor'], user: readPerson(state['user']) })
      return states
    },
    on: awareness.on.bind(awareness),
    off: awareness.off.bind(awareness),
  }
}
