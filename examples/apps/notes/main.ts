import { element } from '../room/element.ts'
import { documentName, showBar, showPeople } from '../room/room.ts'
import { SaveBadge } from '../room/save-badge.ts'
import { requestTokens } from '../room/token-request.ts'
import { keepApp } from './app-cache.ts'
import { NoteList } from './note-list.ts'
import { NoteView } from './note-view.ts'
import { Notebook } from './notebook.ts'
import { summaryOf } from './save-summary.ts'
import { keepStorage, StoragePanel } from './storage-panel.ts'

/** A cable that is plugged in again at once is nothing to speak of. */
const OFFLINE_AFTER_MS = 1500

const page = element('notebook', HTMLElement)
let isDue = false
const notebook = new Notebook(location.origin, documentName('notes'), {
  handleChange: () => {
    // A join of two hundred notes is one picture.
    if (isDue) return
    isDue = true
    requestAnimationFrame(show)
  },
  handleReload: (id) => open(id === null ? null : view.id, { isKept: true }),
})
showBar(notebook.name)
requestTokens(notebook.list, () => notebook.providers)
showPeople(notebook.list)
const badge = new SaveBadge(element('save', HTMLElement), element('announcements', HTMLElement))
const storageButton = replaceNewButton()
const view = new NoteView(notebook.list, (id, title) => notebook.rename(id, title))
const list = new NoteList(notebook, (id) => open(id))
const panel = new StoragePanel(notebook, storageButton)
wire()
showOffline()

// The list of this device, or of the server where there is none yet.
await notebook.list.whenLoaded
page.setAttribute('aria-busy', 'false')
element('new-note', HTMLButtonElement).disabled = false
open(shownBefore(), { isKept: true })
show()
// A first visit is over before the app is fetched once more for the next.
await keepApp(whenSafe)

/** Shows a note, or with null the list alone. */
function open(id: string | null, { isKept = false } = {}): void {
  const note = id === null ? null : notebook.note(id)
  if (!isKept) history.pushState({ note: note?.id ?? null }, '')
  view.show(note)
  page.dataset['view'] = note === null ? 'list' : 'note'
  show()
}

function show(): void {
  isDue = false
  const { id } = view
  const entry = notebook.entries().find((candidate) => candidate.id === id)
  // Somebody has deleted it.
  if (id !== null && entry === undefined) return open(null, { isKept: true })
  list.refresh(id)
  if (entry !== undefined) view.refresh(entry.title)
  badge.show(summaryOf(notebook))
  void panel.refresh()
}

function wire(): void {
  element('new-note', HTMLButtonElement).addEventListener('click', () => {
    list.clearSearch()
    open(notebook.create())
    view.focus()
    // Only now there is something worth keeping.
    void keepStorage().catch(() => undefined)
  })
  element('back', HTMLButtonElement).addEventListener('click', () => history.back())
  addEventListener('popstate', () => open(shownBefore(), { isKept: true }))
  element('keep-copy', HTMLButtonElement).addEventListener('click', () => {
    const copy = view.id === null ? null : notebook.keepLost(view.id)
    if (copy !== null) open(copy)
  })
  wireDeletion()
  addEventListener('beforeunload', (event) => {
    if (notebook.providers.some(({ saveState }) => saveState === 'unsaved')) event.preventDefault()
  })
}

function wireDeletion(): void {
  const notice = element('deleted', HTMLElement)
  let deleted: string | null = null
  element('delete-note', HTMLButtonElement).addEventListener('click', () => {
    deleted = view.id
    if (deleted === null) return
    notebook.remove(deleted)
    notice.hidden = false
    open(null)
    element('undelete', HTMLButtonElement).focus()
  })
  element('undelete', HTMLButtonElement).addEventListener('click', () => {
    notice.hidden = true
    if (deleted === null) return
    notebook.bringBack(deleted)
    open(deleted)
  })
  // It has been seen once something else is done.
  element('notes', HTMLElement).addEventListener('click', () => (notice.hidden = true))
  element('new-note', HTMLElement).addEventListener('click', () => (notice.hidden = true))
}

/** The bar offers a new document; notebooks are few, and their storage is worth a look. */
function replaceNewButton(): HTMLButtonElement {
  const button = document.createElement('button')
  button.type = 'button'
  button.className = 'button'
  button.textContent = 'Storage'
  element('new-document', HTMLElement).replaceWith(button)
  return button
}

function showOffline(): void {
  const place = element('save', HTMLElement)
  let timer: ReturnType<typeof setTimeout> | undefined
  notebook.list.subscribe(({ status }) => {
    // Between two attempts to connect, and during them.
    if (status !== 'connected') {
      timer ??= setTimeout(() => place.setAttribute('data-offline', ''), OFFLINE_AFTER_MS)
      return
    }
    clearTimeout(timer)
    timer = undefined
    place.removeAttribute('data-offline')
  })
}

/** The note of this entry of the browser's history: also after a reload, and by the back button of a phone. */
function shownBefore(): string | null {
  const state: unknown = history.state
  const note = typeof state === 'object' && state !== null && 'note' in state ? state.note : null
  return typeof note === 'string' ? note : null
}

/** Resolves when nothing would be lost if the page were loaded anew. */
function whenSafe(): Promise<void> {
  const isSafe = (): boolean =>
    notebook.providers.every(({ saveState }) => ['saved', 'saved-locally'].includes(saveState))
  return new Promise((resolve) => {
    const look = (): void => (isSafe() ? resolve() : void setTimeout(look, 100))
    look()
  })
}
