import { element } from '../room/element.ts'
import type { Notebook, NoteEntry } from './notebook.ts'
import { readTodo } from './note.ts'

const SNIPPET_LENGTH = 120

/** The list beside the note: what is found, what is shown, and what is not on the server yet. */
export class NoteList {
  readonly #list = element('notes', HTMLElement)
  readonly #nothing = element('nothing', HTMLElement)
  readonly #search = element('search', HTMLInputElement)
  readonly #notebook: Notebook
  readonly #open: (id: string) => void
  #shown = ''

  constructor(notebook: Notebook, open: (id: string) => void) {
    this.#notebook = notebook
    this.#open = open
    this.#search.addEventListener('input', () => this.refresh())
  }

  clearSearch(): void {
    this.#search.value = ''
  }

  refresh(openId = this.#openId): void {
    this.#openId = openId
    const query = this.#search.value.trim().toLocaleLowerCase()
    const all = this.#notebook.entries()
    const found = all
      .map((entry) => this.#describe(entry))
      .filter(({ words }) => words.includes(query))
    const shown = JSON.stringify([found, openId])
    // A button that is made anew would lose the focus.
    if (shown === this.#shown) return
    this.#shown = shown
    const focused = document.activeElement?.getAttribute('data-note')
    this.#list.replaceChildren(...found.map((line) => this.#itemOf(line, openId)))
    if (focused) this.#list.querySelector<HTMLElement>(`[data-note="${focused}"]`)?.focus()
    this.#nothing.hidden = found.length > 0
    this.#nothing.textContent =
      all.length === 0 ? 'No notes yet.' : `No note has “${this.#search.value.trim()}”.`
  }

  #openId: string | null = null

  #describe({ id, title, editedAt }: NoteEntry): Line {
    const note = this.#notebook.note(id)
    const text = note?.text.toJSON() ?? ''
    const todos = note?.todos.map(readTodo) ?? []
    const done = todos.filter((todo) => todo.done).length
    const snippet = /\S.*/.exec(text)?.[0].slice(0, SNIPPET_LENGTH) ?? ''
    const words = [title, text, ...todos.map((todo) => todo.text)].join('\n').toLocaleLowerCase()
    return {
      id,
      title: title.trim() || snippet || 'Untitled',
      details: [timeOf(editedAt), todos.length === 0 ? '' : `${done} of ${todos.length} done`],
      snippet: title.trim() === '' ? '' : snippet,
      isUnsent: note?.provider.saveState !== 'saved' && note?.provider.saveState !== 'saving',
      words,
    }
  }

  #itemOf({ id, title, details, snippet, isUnsent }: Line, openId: string | null): HTMLElement {
    const item = document.createElement('li')
    const button = document.createElement('button')
    button.type = 'button'
    button.className = 'note-item'
    button.dataset['note'] = id
    if (id === openId) button.setAttribute('aria-current', 'true')
    button.append(
      line('note-title', title),
      line('note-details', details.filter(Boolean).join(' · ')),
      ...(snippet === '' ? [] : [line('note-snippet', snippet)]),
      ...(isUnsent ? [line('note-unsent', 'Not on the server yet')] : []),
    )
    button.addEventListener('click', () => this.#open(id))
    item.append(button)
    return item
  }
}

interface Line {
  readonly id: string
  readonly title: string
  readonly details: readonly string[]
  readonly snippet: string
  readonly isUnsent: boolean
  /** Everything in it, to search in. */
  readonly words: string
}

function line(className: string, text: string): HTMLElement {
  const span = document.createElement('span')
  span.className = className
  span.textContent = text
  return span
}

/** The time of day for today, the day for before. */
function timeOf(editedAt: number): string {
  const date = new Date(editedAt)
  const isToday = date.toDateString() === new Date().toDateString()
  return isToday
    ? date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
    : date.toLocaleDateString([], { day: 'numeric', month: 'short', year: 'numeric' })
}
