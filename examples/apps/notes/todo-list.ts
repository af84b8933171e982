import type { Map as YMap } from 'yjs'
import { element } from '../room/element.ts'
import { newTodo, readTodo, type Note } from './note.ts'

/** The to-dos of the note that is shown. */
export class TodoList {
  readonly #list = element('todos', HTMLElement)
  readonly #field = element('new-todo', HTMLInputElement)
  /** The line of each to-do, so that one that somebody types in stays. */
  #lines = new Map<unknown, TodoLine>()
  #note: Note | null = null
  #stop = (): void => undefined

  constructor() {
    element('add-todo', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault()
      const text = this.#field.value.trim()
      if (text === '' || this.#note === null) return
      this.#note.todos.push([newTodo({ text, done: false })])
      this.#field.value = ''
    })
  }

  show(note: Note | null): void {
    this.#stop()
    this.#stop = () => undefined
    this.#note = note
    this.#lines = new Map()
    this.#list.replaceChildren()
    this.#field.value = ''
    if (note === null) return
    const { todos } = note
    const render = (): void => this.#render()
    todos.observeDeep(render)
    this.#stop = () => todos.unobserveDeep(render)
    render()
  }

  #render(): void {
    const todos = this.#note?.todos
    if (todos === undefined) return
    const lines = new Map<unknown, TodoLine>()
    todos.forEach((todo) => {
      const known = this.#lines.get(todo) ?? new TodoLine(todo, () => this.#remove(todo))
      known.refresh()
      lines.set(todo, known)
    })
    this.#lines = lines
    const items: Element[] = Array.from(lines.values(), ({ item }) => item)
    for (const child of [...this.#list.children]) if (!items.includes(child)) child.remove()
    for (const [index, item] of items.entries())
      if (this.#list.children[index] !== item)
        this.#list.insertBefore(item, this.#list.children[index] ?? null)
  }

  #remove(todo: unknown): void {
    const todos = this.#note?.todos
    const index = todos?.toArray().findIndex((candidate) => candidate === todo) ?? -1
    if (index >= 0) todos?.delete(index)
    this.#field.focus()
  }
}

class TodoLine {
  readonly item = document.createElement('li')
  readonly #todo: YMap<unknown>
  readonly #box = document.createElement('input')
  readonly #text = document.createElement('input')
  readonly #remove = document.createElement('button')

  constructor(todo: YMap<unknown>, remove: () => void) {
    this.#todo = todo
    this.item.className = 'todo'
    this.#box.type = 'checkbox'
    this.#box.addEventListener('change', () => todo.set('done', this.#box.checked))
    this.#text.type = 'text'
    this.#text.ariaLabel = 'What is to be done'
    this.#text.addEventListener('input', () => todo.set('text', this.#text.value))
    this.#remove.type = 'button'
    this.#remove.className = 'remove'
    this.#remove.textContent = '×'
    this.#remove.addEventListener('click', remove)
    this.item.append(this.#box, this.#text, this.#remove)
  }

  refresh(): void {
    const { text, done } = readTodo(this.#todo)
    this.#box.checked = done
    this.#box.ariaLabel = `Done: ${text}`
    this.#remove.ariaLabel = `Remove: ${text}`
    // Written only where it differs: the caret of who types here stays where it is.
    if (this.#text.value !== text) this.#text.value = text
    this.item.toggleAttribute('data-done', done)
  }
}
