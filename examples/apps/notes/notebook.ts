import { SocketIOConnection, type SocketIOProvider } from 'y-rooms/client'
import { Map as YMap, type Doc } from 'yjs'
import { token } from '../room/access-token.ts'
import { randomDocumentName } from '../room/document-link.ts'
import { Note, openDocument } from './note.ts'

/** What the list says of a note. */
export interface NoteEntry {
  readonly id: string
  readonly title: string
  /** Milliseconds since 1970, by the clock of whoever edited it. */
  readonly editedAt: number
}

/** How often the time of an edit goes into the list: each is an edit of its own. */
const NOTE_TIME_EVERY_MS = 10_000

/** The list of notes, and each of them, all over one socket. Each is a document; the list names them. */
export class Notebook {
  readonly name: string
  readonly connection: SocketIOConnection
  readonly list: SocketIOProvider
  /** Why the server refused a change; it stays refused. */
  #rejection: string | null = null
  /** Why the server closed documents, until it lets us in again. */
  readonly #closedFor = new Map<SocketIOProvider, string>()
  readonly #notes = new Map<string, Note>()
  readonly #handlers: { handleChange(): void; handleReload(id: string | null): void }

  constructor(
    url: string,
    name: string,
    handlers: {
      /** The list, a note in it, or the save state of either. Often. */
      handleChange(): void
      /** A note, or with null the list, is another Y.Doc from now on. */
      handleReload(id: string | null): void
    },
  ) {
    this.name = name
    this.connection = new SocketIOConnection({ url, token })
    this.list = openDocument(this.connection, name)
    this.#handlers = handlers
    const watch = (doc: Doc): void => {
      doc.getMap('notes').observeDeep(() => this.#openAll())
    }
    watch(this.list.doc)
    this.#watchRefusals(this.list)
    this.list.subscribe(() => handlers.handleChange())
    this.list.on('reload', () => {
      watch(this.list.doc)
      this.#openAll()
      handlers.handleReload(null)
    })
  }

  /** Why the server refused one of the documents, or a change, or null. */
  get refusal(): string | null {
    const [reason] = this.#closedFor.values()
    return reason ?? this.#rejection
  }

  /** Those that are not deleted, the last edited first. */
  entries(): NoteEntry[] {
    const entries: NoteEntry[] = []
    for (const [id, value] of this.#map) {
      const entry = readEntry(id, value)
      if (entry !== null) entries.push(entry)
    }
    return entries.sort(
      (one, other) => other.editedAt - one.editedAt || (one.id < other.id ? -1 : 1),
    )
  }

  /** A note that is in the list. */
  note(id: string): Note | null {
    return this.#notes.get(id) ?? null
  }

  get providers(): SocketIOProvider[] {
    return [this.list, ...Array.from(this.#notes.values(), ({ provider }) => provider)]
  }

  create(title = ''): string {
    const id = randomDocumentName()
    this.#map.set(id, new YMap<unknown>(Object.entries({ title, editedAt: Date.now() })))
    return id
  }

  rename(id: string, title: string): void {
    this.#entryOf(id)?.set('title', title)
  }

  /** It leaves the list. Its text stays where it is, so that it can be brought back. */
  remove(id: string): void {
    this.#entryOf(id)?.set('deleted', true)
  }

  bringBack(id: string): void {
    this.#entryOf(id)?.delete('deleted')
  }

  /** The text of a history that is over becomes a note of its own. */
  keepLost(id: string): string | null {
    const lost = this.note(id)?.lost
    if (!lost) return null
    const copy = this.create(`${readEntry(id, this.#map.get(id))?.title ?? ''} (my copy)`)
    this.note(copy)?.copyFrom(lost)
    this.note(id)!.lost = null
    return copy
  }

  get #map(): YMap<unknown> {
    return this.list.doc.getMap('notes')
  }

  #entryOf(id: string): YMap<unknown> | null {
    const entry = this.#map.get(id)
    return entry instanceof YMap ? entry : null
  }

  /** All of them, also those that nobody looks at: without a network only what was opened before is here. */
  #openAll(): void {
    const ids = new Set(this.entries().map(({ id }) => id))
    for (const [id, note] of this.#notes) {
      // Unsent changes of a deleted note are still somebody's.
      if (ids.has(id) || note.provider.hasUnsyncedChanges) continue
      note.close()
      this.#notes.delete(id)
    }
    for (const id of ids) if (!this.#notes.has(id)) this.#open(id)
    this.#handlers.handleChange()
  }

  #open(id: string): void {
    const note = new Note(id, openDocument(this.connection, `${this.name}/${id}`), {
      handleChange: () => this.#handlers.handleChange(),
      handleEdit: () => this.#noteTime(id),
      handleReload: () => this.#handlers.handleReload(id),
    })
    this.#watchRefusals(note.provider)
    this.#notes.set(id, note)
  }

  #watchRefusals(provider: SocketIOProvider): void {
    provider.on('closed', ({ reason }) => {
      if (reason === 'document-deleted') return
      this.#closedFor.set(provider, reason)
      this.#handlers.handleChange()
    })
    provider.on('authenticated', () => {
      if (this.#closedFor.delete(provider)) this.#handlers.handleChange()
    })
    provider.on('rejected', ({ error }) => {
      this.#rejection = error.message
      this.#handlers.handleChange()
    })
  }

  #noteTime(id: string): void {
    const entry = readEntry(id, this.#map.get(id))
    const now = Date.now()
    if (entry !== null && Math.abs(now - entry.editedAt) > NOTE_TIME_EVERY_MS)
      this.#entryOf(id)?.set('editedAt', now)
  }
}

/** What others have written into the list, if it is a note that can be shown. */
function readEntry(id: string, value: unknown): NoteEntry | null {
  if (!(value instanceof YMap) || !/^[a-z0-9-]{1,64}$/.test(id)) return null
  const title: unknown = value.get('title')
  const editedAt: unknown = value.get('editedAt')
  if (value.get('deleted') === true) return null
  return {
    id,
    title: typeof title === 'string' ? title : '',
    editedAt: typeof editedAt === 'number' && Number.isFinite(editedAt) ? editedAt : 0,
  }
}
