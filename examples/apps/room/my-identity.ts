import { COLORS, MAX_NAME_LENGTH, readPerson, type Person } from './person.ts'

const KEY = 'y-rooms.me'
const ANIMALS = [
  'Badger',
  'Crane',
  'Dolphin',
  'Falcon',
  'Gecko',
  'Heron',
  'Ibex',
  'Lynx',
  'Marten',
  'Otter',
  'Puffin',
  'Robin',
  'Seal',
  'Tapir',
  'Vole',
  'Wren',
]

/** My name and colour in this browser, remembered between visits. */
export class MyIdentity {
  #person: Person
  /** False while the colour was drawn by lot; it then makes way for others. */
  #hasChosenColor: boolean

  constructor() {
    const recalled = recall()
    this.#hasChosenColor = recalled !== null
    this.#person = recalled ?? { name: `Anonymous ${pick(ANIMALS)}`, color: pick(COLORS) }
    this.#remember()
  }

  get person(): Person {
    return this.#person
  }

  rename(name: string): void {
    const trimmed = name.trim().slice(0, MAX_NAME_LENGTH)
    if (trimmed !== '') this.#person = { ...this.#person, name: trimmed }
    this.#remember()
  }

  /** Takes a colour that nobody here has, if mine was drawn by lot and there is one left. */
  avoidColors(taken: ReadonlySet<string>): void {
    if (this.#hasChosenColor || !taken.has(this.#person.color)) return
    const free = COLORS.filter((color) => !taken.has(color))
    if (free.length > 0) this.#person = { ...this.#person, color: pick(free) }
    this.#hasChosenColor = true
    this.#remember()
  }

  nextColor(): void {
    this.#hasChosenColor = true
    const index = COLORS.findIndex((color) => color === this.#person.color)
    this.#person = { ...this.#person, color: COLORS[(index + 1) % COLORS.length] ?? COLORS[0] }
    this.#remember()
  }

  #remember(): void {
    try {
      localStorage.setItem(KEY, JSON.stringify(this.#person))
    } catch {
      // Private windows may refuse; the name then lasts as long as the page.
    }
  }
}

function recall(): Person | null {
  try {
    const text = localStorage.getItem(KEY)
    return text === null ? null : readPerson(JSON.parse(text))
  } catch {
    return null
  }
}

function pick<Item>(items: readonly Item[]): Item {
  const item = items[Math.floor(Math.random() * items.length)]
  if (item === undefined) throw new TypeError('pick expects at least one item')
  return item
}
