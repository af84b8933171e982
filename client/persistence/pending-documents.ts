import * as Y from 'yjs'
import type { ConnectionOptions } from '../connection-options.ts'
import { SocketIOConnection } from '../connection.ts'
import type { ProviderError } from '../provider-error.ts'
import { SocketIOProvider } from '../provider.ts'
import { countPending } from './document-rows.ts'
import { openExisting, transact } from './indexed-database.ts'
import { IndexedDBPersistence } from './indexeddb-persistence.ts'
import { forgetDatabase, knownDatabases } from './known-databases.ts'
import { persistenceError } from './persistence-error.ts'

/** A document on this device with changes that no server has confirmed. */
export interface PendingDocument {
  /** The name that its persistence was given. */
  readonly database: string
  /** The name that its provider was given. */
  readonly document: string
  /** The server that its provider was made for. */
  readonly url: string
  readonly changes: number
}

export interface SyncPendingOptions extends ConnectionOptions {
  /** Which of them. Default: all that were made for this URL. */
  readonly documents?: readonly PendingDocument[] | undefined
  /** How long one document may take, in milliseconds. Default 30,000. */
  readonly timeoutMs?: number | undefined
}

/** What became of one document. On an error its changes are still on this device. */
export type SyncOutcome =
  | { readonly document: PendingDocument; readonly isSaved: true }
  | { readonly document: PendingDocument; readonly isSaved: false; readonly error: ProviderError }

/** Documents that are loaded at one time: their content is in memory meanwhile. */
const AT_ONCE = 4
const DEFAULT_TIMEOUT_MS = 30_000

/**
 * The documents on this device that hold changes which no server has confirmed, open or not, in the
 * order of their database names. Rejects with `persistence-failed` if IndexedDB cannot be read.
 */
export async function listPendingDocuments(): Promise<PendingDocument[]> {
  try {
    const documents: PendingDocument[] = []
    for (const known of await knownDatabases()) {
      const changes = await pendingChanges(known.database)
      if (changes === null) await forgetDatabase(known.database)
      else if (changes > 0) documents.push({ ...known, changes })
    }
    return documents
  } catch (cause) {
    throw persistenceError(cause, 'look for unsaved documents')
  }
}

/**
 * Brings the unconfirmed changes of documents that need not be open to the server, over one socket,
 * a few documents at a time. Resolves with what became of each; one that fails stops no other.
 */
export async function syncPending(options: SyncPendingOptions): Promise<SyncOutcome[]> {
  const { documents, timeoutMs = DEFAULT_TIMEOUT_MS, ...connectionOptions } = options
  const all =
    documents ?? (await listPendingDocuments()).filter(({ url }) => url === connectionOptions.url)
  if (all.length === 0) return []
  const connection = new SocketIOConnection(connectionOptions)
  const outcomes: SyncOutcome[] = []
  let next = 0
  const work = async (): Promise<void> => {
    while (next < all.length) {
      const index = next++
      outcomes[index] = await syncDocument(all[index] as PendingDocument, connection, timeoutMs)
    }
  }
  // Keeps the socket open between two documents.
  const release = holdOpen(connection)
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  release()
  connection.destroy()
  return outcomes
}

async function syncDocument(
  document: PendingDocument,
  connection: SocketIOConnection,
  timeoutMs: number,
): Promise<SyncOutcome> {
  const doc = new Y.Doc()
  const persistence = new IndexedDBPersistence(document.database, doc, { clock: connection.clock })
  const provider = new SocketIOProvider({
    name: document.document,
    document: doc,
    connection,
    persistence,
    // Nobody looks at it.
    awareness: null,
    waitForPersistence: timeoutMs,
  })
  try {
    await provider.whenLocalSynced
    await provider.whenSaved({ timeoutMs })
    return { document, isSaved: true }
  } catch (cause) {
    return { document, isSaved: false, error: persistenceError(cause, 'upload its changes') }
  } finally {
    provider.destroy()
    await persistence.destroy()
    doc.destroy()
  }
}

function holdOpen(connection: SocketIOConnection): () => void {
  const ignore = (): void => undefined
  const member = {
    handleStatus: ignore,
    flush: ignore,
    handleOpen: ignore,
    handleDown: ignore,
    handleFailedAttempt: ignore,
    handleRefused: ignore,
  }
  connection.attach(member)
  return () => connection.detach(member)
}

/** Null if the database is not there any more. */
async function pendingChanges(database: string): Promise<number | null> {
  const handle = await openExisting(database)
  if (handle === null) return null
  try {
    return await transact(handle, 'readonly', 'default', countPending)
  } finally {
    handle.close()
  }
}
