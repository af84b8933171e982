import type { Awareness } from 'y-protocols/awareness'
import { tintOf } from '../../room/caret.ts'
import { readPerson } from '../../room/person.ts'

/** The binding marks carets with the ids of their owners, and leaves it to the page how each of them looks. */
export function styleCarets(awareness: Awareness): void {
  const sheet = new CSSStyleSheet()
  document.adoptedStyleSheets.push(sheet)
  let shown = ''
  const show = (): void => {
    const rules: string[] = []
    for (const [clientId, state] of awareness.getStates()) {
      const person = readPerson(state['user'])
      rules.push(
        `.yRemoteSelection-${clientId} { background: ${tintOf(person)} }`,
        `.yRemoteSelectionHead-${clientId} { --caret: ${person.color} }`,
        `.yRemoteSelectionHead-${clientId}::after { content: ${quote(person.name)} }`,
      )
    }
    const css = rules.join('\n')
    // Every movement of a caret is a change, and hardly any is one of these rules.
    if (css !== shown) sheet.replaceSync(css)
    shown = css
  }
  awareness.on('change', show)
  show()
}

/** A name as a CSS string: what is no letter or digit is written by its number, so that nothing ends the string. */
function quote(name: string): string {
  const escape = (character: string): string => `\\${character.codePointAt(0)!.toString(16)} `
  return `"${name.replaceAll(/[^\p{L}\p{N} ]/gu, escape)}"`
}
