import type { Awareness } from 'y-protocols/awareness'
import { readPerson, type Person } from './person.ts'

interface Other extends Person {
  readonly clientId: number
}

/** Shows who else is here. One person with two tabs is one chip. */
export class PeopleList {
  readonly #list: HTMLElement
  readonly #awareness: Awareness
  #follow: ((clientId: number) => void) | null = null
  #followed: number | null = null
  #shown = ''

  constructor(list: HTMLElement, awareness: Awareness) {
    this.#list = list
    this.#awareness = awareness
    awareness.on('change', () => this.#render())
    this.#render()
  }

  /** Makes the chips buttons. Called with null, it makes them chips again. */
  offerFollowing(follow: ((clientId: number) => void) | null): void {
    this.#follow = follow
    this.#render()
  }

  markFollowed(clientId: number | null): void {
    this.#followed = clientId
    this.#render()
  }

  #render(): void {
    const people = others(this.#awareness)
    const shown = JSON.stringify([people, this.#followed, this.#follow !== null])
    // Every movement of a pointer is a change; a chip that is made anew would lose the focus.
    if (shown === this.#shown) return
    this.#shown = shown
    const focused = this.#list.contains(document.activeElement)
      ? document.activeElement?.getAttribute('data-client')
      : null
    this.#list.replaceChildren(...people.map((other) => this.#itemOf(other)))
    if (focused) this.#list.querySelector<HTMLElement>(`[data-client="${focused}"]`)?.focus()
  }

  #itemOf({ clientId, name, color }: Other): HTMLElement {
    const item = document.createElement('li')
    const follow = this.#follow
    const chip = follow === null ? item : document.createElement('button')
    chip.className = 'chip'
    chip.title = follow === null ? name : `Follow ${name}`
    const dot = document.createElement('span')
    dot.className = 'dot'
    dot.style.backgroundColor = color
    // All that a phone has room for. A letter may be several code units.
    dot.dataset['initial'] = [...name][0]?.toUpperCase() ?? ''
    const label = document.createElement('span')
    label.className = 'chip-name'
    label.textContent = name
    chip.append(dot, label)
    if (chip instanceof HTMLButtonElement && follow !== null) {
      chip.type = 'button'
      chip.ariaLabel = `Follow ${name}`
      chip.dataset['client'] = String(clientId)
      chip.setAttribute('aria-pressed', String(clientId === this.#followed))
      chip.addEventListener('click', () => follow(clientId))
      item.append(chip)
    }
    return item
  }
}

/** Everybody else's colours. */
export function colorsOfOthers(awareness: Awareness): ReadonlySet<string> {
  return new Set(others(awareness).map(({ color }) => color))
}

function others(awareness: Awareness): Other[] {
  const own = keyOf(readPerson(awareness.getLocalState()?.['user']))
  const people = new Map<string, Other>()
  for (const [clientId, state] of awareness.getStates()) {
    if (clientId === awareness.clientID || state['user'] === undefined) continue
    const person = readPerson(state['user'])
    const key = keyOf(person)
    if (key !== own && !people.has(key)) people.set(key, { ...person, clientId })
  }
  return [...people.values()].sort((one, other) => one.name.localeCompare(other.name))
}

function keyOf({ name, color }: Person): string {
  return `${color} ${name}`
}
