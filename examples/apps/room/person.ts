/** What others see of somebody: the `user` field of an awareness state. */
export interface Person {
  readonly name: string
  readonly color: string
}

/** Dark enough for white text on them (4.5 : 1), and told apart from one another by most eyes. */
export const COLORS = [
  '#2f5bd3',
  '#0b7a75',
  '#a8480c',
  '#8a3ffc',
  '#b3266b',
  '#4a6b12',
  '#9b2c2c',
  '#1f6f9f',
] as const

export const MAX_NAME_LENGTH = 40

/**
 * Reads what another browser says of its user. The colour becomes part of a style attribute, so it
 * is a colour or nothing: a peer must not be able to paint over the page.
 */
export function readPerson(value: unknown): Person {
  const fields = typeof value === 'object' && value !== null ? value : {}
  const name = 'name' in fields && typeof fields.name === 'string' ? fields.name.trim() : ''
  const color = 'color' in fields && typeof fields.color === 'string' ? fields.color : ''
  return {
    name: [...name].slice(0, MAX_NAME_LENGTH).join('') || 'Somebody',
    color: /^#[0-9a-f]{6}$/i.test(color) ? color : '#5f6673',
  }
}
