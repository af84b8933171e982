// Everything that a browser test needs in its page, as `app`.
import { IndexeddbPersistence } from 'y-indexeddb'
import * as Y from 'yjs'
import {
  IndexedDBPersistence,
  listPendingDocuments,
  SocketIOProvider,
  syncPending,
  type ProviderOptions,
  type SaveState,
} from '../../../client/index.ts'
import { openDatabase, transact } from '../../../client/persistence/indexed-database.ts'
import { readRows } from '../../../client/persistence/document-rows.ts'

interface OpenDocument {
  readonly doc: Y.Doc
  readonly provider: SocketIOProvider
  readonly persistence: IndexedDBPersistence
  /** Every save state that a badge would have shown, the first one included. */
  readonly states: SaveState[]
  readonly errors: string[]
}

const open = new Map<string, OpenDocument>()

/** Opens a document with a local copy of the same name. */
function openDocument(url: string, name: string, options: ProviderOptions = {}): void {
  const doc = new Y.Doc()
  const persistence = new IndexedDBPersistence(name, doc)
  const provider = new SocketIOProvider({
    url,
    name,
    document: doc,
    persistence,
    maxBackoffTime: 200,
    ...options,
  })
  const states = [provider.saveState]
  const errors: string[] = []
  provider.on('save-state', ({ state }) => states.push(state))
  provider.on('error', ({ code }) => errors.push(code))
  open.set(name, { doc, provider, persistence, states, errors })
}

const get = (name: string): OpenDocument => open.get(name) as OpenDocument

async function openLocally(url: string, name: string): Promise<string> {
  openDocument(url, name)
  await get(name).provider.whenLocalSynced
  return text(name)
}

const text = (name: string): string => get(name).doc.getText('body').toJSON()

function type(name: string, added: string): void {
  const body = get(name).doc.getText('body')
  body.insert(body.length, added)
}

/** Resolves when the provider is in this state. */
function whenState(name: string, state: SaveState): Promise<void> {
  const { provider } = get(name)
  return new Promise((resolve) => {
    const stop = provider.subscribe((now) => {
      if (now.saveState !== state) return
      resolve()
      queueMicrotask(() => stop())
    })
  })
}

interface Stored {
  readonly rows: number
  readonly pending: number
  readonly text: string
  /** How many clocks the rows have together: what is stored twice counts twice. */
  readonly clocks: number
}

function countClocks(update: Uint8Array): number {
  const { from, to } = app.Y.parseUpdateMeta(update)
  let count = 0
  for (const [client, end] of to) count += end - (from.get(client) ?? 0)
  return count
}

async function stored(database: string): Promise<Stored> {
  const handle = await openDatabase(database)
  const { rows, pending } = await transact(handle, 'readonly', 'default', readRows)
  handle.close()
  const doc = new Y.Doc()
  for (const { update } of rows) Y.applyUpdate(doc, update)
  return {
    rows: rows.length,
    pending: pending.size,
    text: doc.getText('body').toJSON(),
    clocks: rows.reduce((sum, { update }) => sum + countClocks(update), 0),
  }
}

const app = {
  Y,
  IndexeddbPersistence,
  IndexedDBPersistence,
  SocketIOProvider,
  listPendingDocuments,
  syncPending,
  openDocument,
  openLocally,
  get,
  text,
  type,
  whenState,
  stored,
}

export type App = typeof app

Object.assign(globalThis, { app })
