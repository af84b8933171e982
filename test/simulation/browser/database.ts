import type { Page } from './page.ts'
import { type KeyRange, ObjectStore } from './stored-keys.ts'

type Mode = 'readonly' | 'readwrite'

/** What a request asks for, once its turn comes. */
type Work = (stores: ReadonlyMap<string, ObjectStore>) => unknown

/** One of IndexedDB's requests: answered in the transaction's own time. */
class Request {
  result: unknown = undefined
  error: DOMException | null = null
  onsuccess: (() => void) | null = null
  onerror: (() => void) | null = null
  readonly transaction: Transaction
  readonly #work: Work

  constructor(transaction: Transaction, work: Work) {
    this.transaction = transaction
    this.#work = work
  }

  answer(stores: ReadonlyMap<string, ObjectStore>): void {
    this.result = this.#work(stores)
    this.onsuccess?.()
  }
}

/** One transaction: all of it, or nothing. Those of a database come one after the other. */
export class Transaction {
  error: DOMException | null = null
  oncomplete: (() => void) | null = null
  onabort: (() => void) | null = null
  readonly page: Page
  readonly handle: Handle
  readonly #mode: Mode
  readonly #requests: Request[] = []
  #stores: Map<string, ObjectStore> | null = null
  #hasWritten = false
  isOver = false

  constructor(handle: Handle, page: Page, mode: Mode) {
    this.handle = handle
    this.page = page
    this.#mode = mode
  }

  objectStore(name: string): object {
    const ask = (isWrite: boolean, work: (store: ObjectStore) => unknown): Request => {
      if (this.isOver) throw new DOMException('the transaction is over', 'TransactionInactiveError')
      if (isWrite && this.#mode === 'readonly')
        throw new DOMException('the transaction only reads', 'ReadOnlyError')
      const request = new Request(this, (stores) => {
        this.#hasWritten ||= isWrite
        return work(stores.get(name) as ObjectStore)
      })
      this.#requests.push(request)
      return request
    }
    const put = (value: unknown, key?: IDBValidKey): Request => {
      const stored = structuredClone(value)
      return ask(true, (store) => store.put(stored, key))
    }
    return {
      get: (key: IDBValidKey) => ask(false, (store) => structuredClone(store.get(key))),
      getAll: (range: KeyRange | null = null) =>
        ask(false, (store) => store.within(range).map(({ value }) => structuredClone(value))),
      getAllKeys: (range: KeyRange | null = null) =>
        ask(false, (store) => store.within(range).map(({ key }) => key)),
      // Both, as nothing here adds a key that is there.
      add: put,
      put,
      delete: (query: IDBValidKey | KeyRange) => ask(true, (store) => store.delete(query)),
      clear: () => ask(true, (store) => store.clear()),
    }
  }

  /** By its page. */
  abort(): void {
    this.end(null)
  }

  end(error: DOMException | null): void {
    if (this.isOver) return
    this.isOver = true
    this.error = error
    this.handle.database.leave(this)
    this.page.later(() => this.onabort?.())
  }

  /** Answers what was asked so far, or commits if nothing was. */
  proceed(): void {
    const { database } = this.handle
    this.#stores ??= new Map([...database.stores].map(([name, store]) => [name, store.copy()]))
    if (this.#requests.length === 0) {
      this.#commit()
      return
    }
    for (const request of this.#requests.splice(0)) {
      if (this.isOver) return
      request.answer(this.#stores)
    }
  }

  #commit(): void {
    const { database } = this.handle
    if (this.#hasWritten && this.page.device.isFull) {
      this.end(new DOMException('no room on the simulated device', 'QuotaExceededError'))
      return
    }
    if (this.#mode === 'readwrite')
      for (const [name, store] of this.#stores ?? []) database.stores.set(name, store)
    this.isOver = true
    database.leave(this)
    this.oncomplete?.()
  }
}

/** A database as a page has opened it. */
export class Handle {
  readonly database: Database
  readonly page: Page
  onclose: (() => void) | null = null
  onversionchange: ((event: { newVersion: number | null }) => void) | null = null
  isClosed = false

  constructor(database: Database, page: Page) {
    this.database = database
    this.page = page
    database.handles.add(this)
  }

  createObjectStore(name: string, { autoIncrement = false } = {}): void {
    this.database.stores.set(name, new ObjectStore(autoIncrement))
  }

  transaction(_stores: readonly string[], mode: Mode): Transaction {
    if (this.isClosed) throw new DOMException('the database is closed', 'InvalidStateError')
    const transaction = new Transaction(this, this.page, mode)
    this.database.enter(transaction)
    return transaction
  }

  /** Transactions under way are finished. */
  close(): void {
    this.isClosed = true
    this.database.handles.delete(this)
  }
}

/** One database of a device, shared by its pages. */
export class Database {
  readonly stores = new Map<string, ObjectStore>()
  readonly handles = new Set<Handle>()
  readonly #queue: Transaction[] = []
  #isAtWork = false

  enter(transaction: Transaction): void {
    this.#queue.push(transaction)
    this.#work()
  }

  leave(transaction: Transaction): void {
    const index = this.#queue.indexOf(transaction)
    if (index >= 0) this.#queue.splice(index, 1)
  }

  /** The browser closes it under its pages: what is not committed is gone. */
  kill(): void {
    for (const transaction of [...this.#queue])
      transaction.end(new DOMException('the browser has closed the database', 'AbortError'))
    for (const handle of [...this.handles]) {
      handle.close()
      handle.page.later(() => handle.onclose?.())
    }
  }

  /** The page has died. What it had begun, and not committed, is gone. */
  handlePageGone(page: Page): void {
    for (const transaction of this.#queue.filter((one) => one.page === page)) transaction.end(null)
    for (const handle of [...this.handles]) if (handle.page === page) handle.close()
    // The step that it was waiting for died with the page.
    this.#isAtWork = false
    this.#work()
  }

  #work(): void {
    const [first] = this.#queue
    if (this.#isAtWork || first === undefined) return
    this.#isAtWork = true
    first.page.later(() => {
      this.#isAtWork = false
      if (!first.isOver) first.proceed()
      this.#work()
    })
  }
}
