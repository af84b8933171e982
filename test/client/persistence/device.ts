import { IDBFactory, IDBKeyRange } from 'fake-indexeddb'
import { afterEach, beforeEach, onTestFinished, vi } from 'vitest'
import * as Y from 'yjs'
import {
  IndexedDBPersistence,
  SocketIOProvider,
  type ProviderOptions,
  type SaveState,
} from '../../../client/index.ts'
import { openDatabase, transact } from '../../../client/persistence/indexed-database.ts'
import { readRows, type StoredRows } from '../../../client/persistence/document-rows.ts'
import { ManualClock } from '../manual-clock.ts'
import { joined, ScriptedNetwork, type ScriptedWire } from '../scripted-network.ts'
import type { JoinAnswer } from '../../../protocol/index.ts'
import { eventually } from '../../support/patience.ts'

/** Each test has a device of its own, with nothing stored. */
export function freshDevice(): void {
  beforeEach(() => {
    vi.stubGlobal('indexedDB', new IDBFactory())
    vi.stubGlobal('IDBKeyRange', IDBKeyRange)
    // The real lock of this process would reach across tests.
    vi.stubGlobal('navigator', {})
  })
  afterEach(() => void vi.restoreAllMocks())
}

export interface Visit {
  readonly clock: ManualClock
  readonly network: ScriptedNetwork
  readonly doc: Y.Doc
  readonly persistence: IndexedDBPersistence
  readonly provider: SocketIOProvider
  /** Every save state since the page was opened, the first one included. */
  readonly states: SaveState[]
  readonly errors: string[]
  type(text: string): void
  text(): string
  join(answer?: Partial<JoinAnswer>): ScriptedWire
  /** Until everything that was changed is in the database. */
  stored(): Promise<void>
  /** Closes the page as a reload does, after what is under way. */
  leave(): Promise<void>
}

/** A page that opens a document with a provider and a local copy. */
export function visit(options: ProviderOptions & { database?: string } = {}): Visit {
  const { database = 'draft', ...rest } = options
  const [clock, network, doc] = [new ManualClock(), new ScriptedNetwork(), new Y.Doc()]
  const persistence = new IndexedDBPersistence(database, doc, { clock })
  const states: SaveState[] = []
  const errors: string[] = []
  const provider = new SocketIOProvider('http://server.test', 'draft', doc, {
    persistence,
    ...rest,
    network: network.connect,
    clock,
  })
  states.push(provider.saveState)
  provider.on('save-state', ({ state }) => states.push(state))
  provider.on('error', ({ code }) => errors.push(code))
  const leave = async (): Promise<void> => {
    provider.destroy()
    await persistence.destroy()
    doc.destroy()
  }
  onTestFinished(leave)
  return {
    clock,
    network,
    doc,
    persistence,
    provider,
    states,
    errors,
    type(text) {
      const body = doc.getText('body')
      body.insert(body.length, text)
    },
    text: () => doc.getText('body').toJSON(),
    join(answer = {}) {
      const { wire } = network
      if (wire.state === 'opening') wire.open()
      wire.take('join').answer(joined(answer))
      clock.endTurn()
      return wire
    },
    stored: () =>
      eventually(() => {
        if (!persistence.isStored) throw new Error('not stored yet')
      }),
    leave,
  }
}

/** What is in the database, read past the persistence. */
export async function rowsOf(database: string): Promise<StoredRows> {
  const handle = await openDatabase(database)
  try {
    return await transact(handle, 'readonly', 'default', readRows)
  } finally {
    handle.close()
  }
}

/** What the database holds, as text. */
export async function textOf(database: string): Promise<string> {
  const doc = new Y.Doc()
  for (const { update } of (await rowsOf(database)).rows) Y.applyUpdate(doc, update)
  return doc.getText('body').toJSON()
}
