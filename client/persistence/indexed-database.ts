import { ProviderError } from '../provider-error.ts'
import { isDeadHandle } from './persistence-error.ts'

/** The two stores of y-indexeddb: `updates` numbers its rows itself, `custom` holds anything by key. */
interface Stores {
  readonly updates: IDBObjectStore
  readonly custom: IDBObjectStore
}

/** Makes requests; what it returns is called once all of them are committed. */
export type Work<Result> = (stores: Stores) => () => Result

interface Handlers {
  /** Another page deletes the database. */
  readonly handleDeleted: () => void
  /** The browser has closed it under us, perhaps to delete it. */
  readonly handleClosed: () => void
}

/** One IndexedDB database, opened when needed and again when the browser has killed the handle. */
export class IndexedDatabase {
  readonly name: string
  readonly #handlers: Handlers
  #handle: Promise<IDBDatabase> | null = null
  #isClosed = false

  constructor(name: string, handlers: Handlers) {
    this.name = name
    this.#handlers = handlers
  }

  read<Result>(work: Work<Result>): Promise<Result> {
    return this.#run('readonly', 'default', work)
  }

  /** Resolves when committed; with `strict`, when the browser has also flushed it to the disk. */
  write<Result>(durability: 'strict' | 'relaxed', work: Work<Result>): Promise<Result> {
    return this.#run('readwrite', durability, work)
  }

  /** Transactions under way are finished first, by the browser. */
  close(): void {
    this.#isClosed = true
    this.#drop()
  }

  async #run<Result>(
    mode: 'readonly' | 'readwrite',
    durability: IDBTransactionDurability,
    work: Work<Result>,
  ): Promise<Result> {
    for (let attempt = 1; ; attempt++) {
      try {
        const handle = await this.#open()
        return await transact(handle, mode, durability, work)
      } catch (error) {
        // Writing twice is harmless: a Yjs update has its effect once.
        if (attempt === 2 || this.#isClosed || !isDeadHandle(error)) throw error
        this.#drop()
      }
    }
  }

  #open(): Promise<IDBDatabase> {
    if (this.#handle !== null) return this.#handle
    const opening = openDatabase(this.name).then((handle) => {
      const forget = (): void => {
        if (this.#handle === opening) this.#handle = null
      }
      handle.onclose = () => {
        forget()
        this.#handlers.handleClosed()
      }
      handle.onversionchange = ({ newVersion }) => {
        // Whoever holds on here blocks the other page for ever.
        handle.close()
        forget()
        if (newVersion === null) this.#handlers.handleDeleted()
      }
      if (this.#isClosed) handle.close()
      return handle
    })
    this.#handle = opening
    opening.catch(() => {
      if (this.#handle === opening) this.#handle = null
    })
    return opening
  }

  #drop(): void {
    const handle = this.#handle
    this.#handle = null
    handle?.then(
      (open) => open.close(),
      () => undefined,
    )
  }
}

/** Resolves when the database is gone. `handleBlocked` is told if another page still holds it. */
export function deleteDatabase(name: string, handleBlocked: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase(name)
    request.onsuccess = () => resolve()
    request.onerror = () => reject(request.error as DOMException)
    request.onblocked = handleBlocked
  })
}

/** Opens a database, and makes it if it is not there. */
export function openDatabase(name: string): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    // Without a version: the present one, or 1. A number would lock out y-indexeddb, which gives none.
    const request = indexedDB.open(name)
    request.onupgradeneeded = () => {
      request.result.createObjectStore('updates', { autoIncrement: true })
      request.result.createObjectStore('custom')
    }
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error as DOMException)
    request.onblocked = () =>
      reject(
        new ProviderError('persistence-blocked', `another page holds the database ${name} back`),
      )
  })
}

/** Opens a database only if it is there. */
export function openExisting(name: string): Promise<IDBDatabase | null> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name)
    let isNew = false
    request.onupgradeneeded = () => {
      isNew = true
      request.transaction?.abort()
    }
    request.onsuccess = () => resolve(request.result)
    request.onerror = (event) => {
      event.preventDefault()
      if (isNew) resolve(null)
      else reject(request.error as DOMException)
    }
  })
}

/** Why a transaction was aborted by a request's handler. IndexedDB itself would only say that it was. */
const failures = new WeakMap<IDBTransaction, unknown>()

/** Goes on in the same transaction once a request is answered. What `run` throws takes all of the transaction back. */
export function afterRequest<Value>(request: IDBRequest<Value>, run: (value: Value) => void): void {
  request.onsuccess = () => {
    try {
      run(request.result)
    } catch (error) {
      const { transaction } = request
      if (transaction === null) return
      failures.set(transaction, error)
      transaction.abort()
    }
  }
}

export function transact<Result>(
  handle: IDBDatabase,
  mode: 'readonly' | 'readwrite',
  durability: IDBTransactionDurability,
  work: Work<Result>,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const transaction = handle.transaction(['updates', 'custom'], mode, { durability })
    transaction.onabort = () =>
      reject(
        (failures.get(transaction) ??
          transaction.error ??
          new DOMException('the transaction was aborted', 'AbortError')) as Error,
      )
    try {
      const finish = work({
        updates: transaction.objectStore('updates'),
        custom: transaction.objectStore('custom'),
      })
      transaction.oncomplete = () => resolve(finish())
    } catch (error) {
      reject(error as DOMException)
      // All or nothing: without this, what was requested so far would be committed.
      transaction.abort()
    }
  })
}
