import type { Awareness } from 'y-protocols/awareness'
import { readPerson, type Person } from './person.ts'

/** Shows who else is here. One person with two tabs is one chip. */
export function showPeople(list: HTMLElement, awareness: Awareness): void {
  const render = (): void => {
    const chips = others(awareness).map(chipOf)
    list.replaceChildren(...chips)
  }
  awareness.on('change', render)
  render()
}

/** Everybody else's colours. */
export function colorsOfOthers(awareness: Awareness): ReadonlySet<string> {
  return new Set(others(awareness).map(({ color }) => color))
}

function others(awareness: Awareness): Person[] {
  const own = keyOf(readPerson(awareness.getLocalState()?.['user']))
  const people = new Map<string, Person>()
  for (const [clientId, state] of awareness.getStates()) {
    if (clientId === awareness.clientID || state['user'] === undefined) continue
    const person = readPerson(state['user'])
    if (keyOf(person) !== own) people.set(keyOf(person), person)
  }
  return [...people.values()].sort((one, other) => one.name.localeCompare(other.name))
}

function keyOf({ name, color }: Person): string {
  return `${color} ${name}`
}

function chipOf({ name, color }: Person): HTMLElement {
  const chip = document.createElement('li')
  chip.className = 'chip'
  chip.title = name
  const dot = document.createElement('span')
  dot.className = 'dot'
  dot.style.backgroundColor = color
  const label = document.createElement('span')
  label.className = 'chip-name'
  label.textContent = name
  chip.append(dot, label)
  return chip
}
