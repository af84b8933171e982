import { openDatabase, transact } from './indexed-database.ts'

/** Where a document that may hold unconfirmed changes is stored. */
export interface KnownDatabase {
  readonly database: string
  readonly document: string
  /** The server that its provider was made for. */
  readonly url: string
}

/** `indexedDB.databases()` is not everywhere, and does not know which document a database is for. */
const REGISTRY = 'y-rooms:documents'

export function registerDatabase(known: KnownDatabase): Promise<void> {
  return inRegistry('readwrite', (custom) => {
    custom.put(known, known.database)
    return () => undefined
  })
}

export function forgetDatabase(database: string): Promise<void> {
  return inRegistry('readwrite', (custom) => {
    custom.delete(database)
    return () => undefined
  })
}

export function knownDatabases(): Promise<KnownDatabase[]> {
  return inRegistry('readonly', (custom) => {
    const all = custom.getAll() as IDBRequest<KnownDatabase[]>
    return () => all.result
  })
}

async function inRegistry<Result>(
  mode: 'readonly' | 'readwrite',
  work: (custom: IDBObjectStore) => () => Result,
): Promise<Result> {
  const handle = await openDatabase(REGISTRY)
  try {
    return await transact(handle, mode, 'default', ({ custom }) => work(custom))
  } finally {
    handle.close()
  }
}
