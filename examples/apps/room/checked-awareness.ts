import type { Awareness } from 'y-protocols/awareness'
import { readPerson, type Person } from './person.ts'

/** What the binding of CodeMirror uses of an `Awareness`. */
type CursorAwareness = Pick<
  Awareness,
  'doc' | 'getLocalState' | 'setLocalStateField' | 'getStates' | 'on' | 'off'
>

/** Colours that are the same to CSS and different to the binding; nobody renames more often between two looks. */
const SPELLINGS = 16

/** Opacity of a selection behind text, in hexadecimal: a dark page swallows more of it. */
const LIGHT_TINT = '33'
const DARK_TINT = '80'
const isDark = matchMedia('(prefers-color-scheme: dark)')

/**
 * The binding writes other people's colours into style attributes as they come. This view of the
 * awareness lets only checked names and colours through.
 *
 * The binding also draws a caret anew only when its colour changes, so that a new name would not show. Every change of a
 * name therefore changes the spelling of the colour: by spaces behind it, which CSS ignores.
 */
export function checkedAwareness(awareness: Awareness): CursorAwareness {
  const named = new Map<number, { name: string; spelling: number }>()
  const spell = (clientId: number, person: Person): Person & { colorLight: string } => {
    const before = named.get(clientId)
    const isRenamed = before !== undefined && before.name !== person.name
    const spelling = ((before?.spelling ?? 0) + (isRenamed ? 1 : 0)) % SPELLINGS
    named.set(clientId, { name: person.name, spelling })
    // `colorLight` is given too: the binding would append its transparency to the spaces.
    return {
      ...person,
      color: person.color + ' '.repeat(spelling),
      colorLight: person.color + (isDark.matches ? DARK_TINT : LIGHT_TINT),
    }
  }
  return {
    doc: awareness.doc,
    getLocalState: () => awareness.getLocalState(),
    setLocalStateField: (field, value) => awareness.setLocalStateField(field, value),
    getStates() {
      const states = new Map<number, { [field: string]: unknown }>()
      for (const [clientId, state] of awareness.getStates())
        states.set(clientId, {
          cursor: state['cursor'],
          user: spell(clientId, readPerson(state['user'])),
        })
      return states
    },
    on: awareness.on.bind(awareness),
    off: awareness.off.bind(awareness),
  }
}
