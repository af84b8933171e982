import { defaultKeymap } from '@codemirror/commands'
import { EditorView, keymap, placeholder } from '@codemirror/view'
import { yCollab, yUndoManagerKeymap } from 'y-codemirror.next'
import type { SocketIOProvider } from 'y-rooms/client'
import { UndoManager } from 'yjs'
import { checkedAwareness } from '../room/checked-awareness.ts'
import { element } from '../room/element.ts'
import type { Note } from './note.ts'
import { TodoList } from './todo-list.ts'

/** The note that is shown: title, to-dos, text. */
export class NoteView {
  readonly #article = element('note', HTMLElement)
  readonly #title = element('title', HTMLInputElement)
  readonly #reset = element('reset', HTMLElement)
  readonly #todos = new TodoList()
  readonly #list: SocketIOProvider
  #editor: EditorView | null = null
  #note: Note | null = null

  constructor(list: SocketIOProvider, rename: (id: string, title: string) => void) {
    this.#list = list
    this.#title.addEventListener('input', () => {
      if (this.#note !== null) rename(this.#note.id, this.#title.value)
    })
    this.#title.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && !event.isComposing) this.#editor?.focus()
    })
    list.awareness.on('change', () => this.#tellWhoIAm())
  }

  get id(): string | null {
    return this.#note?.id ?? null
  }

  show(note: Note | null): void {
    this.#editor?.destroy()
    this.#editor = null
    // Who looks at another note has no caret in this one.
    this.#note?.provider.awareness.setLocalState({})
    this.#note = note
    this.#article.hidden = note === null
    element('no-note', HTMLElement).hidden = note !== null
    this.#todos.show(note)
    if (note === null) return
    this.#tellWhoIAm()
    const { text } = note
    this.#editor = new EditorView({
      parent: element('body', HTMLElement),
      doc: text.toJSON(),
      extensions: [
        keymap.of([...yUndoManagerKeymap, ...defaultKeymap]),
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({ 'aria-label': 'Text of the note' }),
        placeholder('Write. It is on this device as you type.'),
        yCollab(text, checkedAwareness(note.provider.awareness), {
          undoManager: new UndoManager(text),
        }),
      ],
    })
  }

  /** What the list says of it may have changed. */
  refresh(title: string): void {
    if (this.#title.value !== title) this.#title.value = title
    this.#reset.hidden = this.#note?.lost == null
  }

  focus(): void {
    this.#title.focus()
  }

  /** My name and colour, as I announce them in the list. */
  #tellWhoIAm(): void {
    const user: unknown = this.#list.awareness.getLocalState()?.['user']
    const awareness = this.#note?.provider.awareness
    if (user !== undefined && awareness && awareness.getLocalState()?.['user'] !== user)
      awareness.setLocalStateField('user', user)
  }
}
