import { IndexedDBPersistence, SocketIOProvider, type SocketIOConnection } from 'y-rooms/client'
import { Doc, Map as YMap, type Array as YArray, type Text } from 'yjs'

/** What a to-do is: a map with these fields. */
export interface Todo {
  readonly text: string
  readonly done: boolean
}

/** A document that is kept on this device and on the server. Several of them share one socket. */
export function openDocument(connection: SocketIOConnection, name: string): SocketIOProvider {
  const provider = new SocketIOProvider({
    name,
    connection,
    document: new Doc(),
    persistence: (database, doc) => new IndexedDBPersistence(database, doc),
  })
  provider.on('closed', ({ reason }) => {
    // The list still names it: it begins anew, as `reload` tells.
    if (reason === 'document-deleted') provider.connect()
  })
  return provider
}

/** One note: its text and what there is to do, in a document of its own. */
export class Note {
  readonly id: string
  readonly provider: SocketIOProvider
  /** What this device had, and the server not, when the document began anew there. */
  lost: Doc | null = null
  readonly #handleChange: () => void

  constructor(
    id: string,
    provider: SocketIOProvider,
    handlers: {
      /** Its text, its to-dos or its save state have changed. */
      handleChange(): void
      /** Somebody changed it here. */
      handleEdit(): void
      /** It is another Y.Doc from now on. */
      handleReload(): void
    },
  ) {
    this.id = id
    this.provider = provider
    this.#handleChange = handlers.handleChange
    const watch = (doc: Doc): void => {
      doc.on('update', (_update: Uint8Array, _origin: unknown, _doc: Doc, { local: isLocal }) => {
        if (isLocal) handlers.handleEdit()
        this.#handleChange()
      })
    }
    watch(provider.doc)
    provider.subscribe(() => this.#handleChange())
    provider.on('document-reset', ({ document }) => {
      if (textOf(document).length > 0 || todosOf(document).length > 0) this.lost = document
    })
    provider.on('reload', () => {
      watch(provider.doc)
      handlers.handleReload()
    })
  }

  get text(): Text {
    return textOf(this.provider.doc)
  }

  get todos(): YArray<YMap<unknown>> {
    return todosOf(this.provider.doc)
  }

  /** Takes what another document has; its history stays there. */
  copyFrom(doc: Doc): void {
    this.provider.doc.transact(() => {
      this.text.insert(0, textOf(doc).toJSON())
      this.todos.push(todosOf(doc).map((todo) => newTodo(readTodo(todo))))
    })
  }

  close(): void {
    this.provider.destroy()
  }
}

function textOf(doc: Doc): Text {
  return doc.getText('body')
}

function todosOf(doc: Doc): YArray<YMap<unknown>> {
  return doc.getArray('todos')
}

export function newTodo({ text, done }: Todo): YMap<unknown> {
  return new YMap(Object.entries({ text, done }))
}

/** Whatever others have written into it. */
export function readTodo(todo: unknown): Todo {
  if (!(todo instanceof YMap)) return { text: '', done: false }
  const text: unknown = todo.get('text')
  return { text: typeof text === 'string' ? text : '', done: todo.get('done') === true }
}
