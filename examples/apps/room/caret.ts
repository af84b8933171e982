import type { Person } from './person.ts'

/** Opacity of a selection behind text, in hexadecimal: a dark page swallows more of it. */
const LIGHT_TINT = '33'
const DARK_TINT = '80'
const isDark = matchMedia('(prefers-color-scheme: dark)')

/** Somebody's caret with the name above it, for editors that let us draw it. */
export function caretOf({ name, color }: Person): HTMLElement {
  const caret = document.createElement('span')
  caret.className = 'caret'
  caret.style.setProperty('--caret', color)
  const label = document.createElement('span')
  label.className = 'caret-name'
  label.textContent = name
  // Word joiners: without a character beside it, a line that ends here loses its height.
  caret.append('\u2060', label, '\u2060')
  return caret
}

/** The colour of somebody's selection. */
export function tintOf({ color }: Person): string {
  return color + (isDark.matches ? DARK_TINT : LIGHT_TINT)
}
