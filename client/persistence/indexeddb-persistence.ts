import * as Y from 'yjs'
import { mergeAsTree, type Epoch } from '../../protocol/index.ts'
import { systemClock, type CancelTimer, type Clock } from '../clock.ts'
import { deferred } from '../deferred.ts'
import { Observable } from '../observable.ts'
import { ProviderError } from '../provider-error.ts'
import { isEmptyDocument } from '../upload-plan.ts'
import {
  clearAside,
  readAside,
  readOrphans,
  readRows,
  setRowsAside,
  type AsideCopy,
  type StoredRows,
} from './document-rows.ts'
import { noteEnding, whenEnded } from './ending-databases.ts'
import { deleteDatabase, IndexedDatabase } from './indexed-database.ts'
import { becomeKeeper } from './keeper-lock.ts'
import { forgetDatabase, registerDatabase } from './known-databases.ts'
import type { LoadedCopy, PersistenceClient, TrackedPersistence } from './local-persistence.ts'
import { persistenceError } from './persistence-error.ts'
import { pendingOf, RowWriter } from './row-writer.ts'

export interface IndexedDBPersistenceOptions {
  /** In place of the system's; for tests and simulations. */
  readonly clock?: Clock | undefined
}

export type IndexedDBPersistenceEvents = {
  /** Everything that was stored is in the document. Once. */
  synced: (persistence: IndexedDBPersistence) => void
  /** `persistence-failed`, `persistence-quota` or `persistence-blocked`; told once until it works again. */
  error: (error: ProviderError) => void
}

/** Some browsers leave the opening of a database unanswered for good. After this the document goes on without. */
const LOAD_PATIENCE_MS = 20_000
/** A page that is closed has stored its last changes by then, or never will. */
const ORPHAN_PAUSE_MS = 2000

/**
 * Keeps a Y.Doc in IndexedDB, in a database that is named as it was told and laid out as
 * y-indexeddb's: each opens what the other wrote. Given to a provider it also knows which changes no
 * server has confirmed, across reloads.
 *
 * What cannot be stored stays in memory and is tried again, with growing pauses of up to 30 seconds.
 */
export class IndexedDBPersistence
  extends Observable<IndexedDBPersistenceEvents>
  implements TrackedPersistence
{
  readonly name: string
  readonly doc: Y.Doc
  /** Everything that was stored is in the document. */
  synced = false
  readonly #whenSynced = deferred<this>()
  readonly #clock: Clock
  readonly #database: IndexedDatabase
  readonly #writer: RowWriter
  readonly #releaseKeeper: () => void
  /** The copy is read, or will not be for now. */
  readonly #loadEnded = deferred<void>()
  /** What the document held before us. */
  #before: Uint8Array | null
  #client: PersistenceClient | null = null
  #loaded: Omit<LoadedCopy, 'isUnverified'> | null = null
  /** There is content of which nobody knows whether the server has it. */
  #isUnverified = false
  #isRegistered = false
  /** The code that was told last, until it works again. */
  #reported: string | null = null
  #isUnreadable = false
  #isKeeper = false
  #cancelOrphans: CancelTimer | null = null
  #ending: Promise<void> | null = null

  constructor(name: string, doc: Y.Doc, { clock = systemClock }: IndexedDBPersistenceOptions = {}) {
    super()
    this.name = name
    this.doc = doc
    this.#clock = clock
    this.#before = isEmptyDocument(doc) ? null : Y.encodeStateAsUpdate(doc)
    this.#database = new IndexedDatabase(name, {
      handleDeleted: () => this.#writer.handleDeleted(),
      handleClosed: () => this.#writer.handleClosed(),
    })
    this.#writer = new RowWriter({
      database: this.#database,
      clock,
      encodeDocument: () => Y.encodeStateAsUpdate(doc),
      beforePending: () => this.#register(),
      handleStored: () => {
        if (this.#writer.isStored) this.#reported = null
        this.#client?.handleStored()
      },
      handleError: (cause) => this.#report(cause, 'store a change'),
    })
    // Nobody needs to await it: a failure is an event too.
    this.#whenSynced.promise.catch(() => undefined)
    doc.on('update', this.#handleUpdate)
    doc.on('destroy', this.#handleDestroy)
    this.#releaseKeeper = becomeKeeper(name, (isKeeper) => {
      this.#isKeeper = isKeeper
      this.#writer.setKeeper(isKeeper)
      // Somebody else was it before.
      if (isKeeper) this.handlePageGone()
    })
    void this.#load()
  }

  /** Resolves once everything that was stored is in the document; rejects if it cannot be read, or after `destroy`. */
  get whenSynced(): Promise<this> {
    return this.#whenSynced.promise
  }

  get isStored(): boolean {
    return this.#canStore && this.#writer.isStored
  }

  get #canStore(): boolean {
    // What is changed after the end is stored by nobody.
    if (this.#ending !== null || this.#isUnreadable) return false
    return this.synced || this.#before === null
  }

  /** Pages of one origin that were given the same name have one database. */
  get sharedName(): string {
    return this.name
  }

  get isOwnStored(): boolean {
    return this.#canStore && this.#writer.isOwnStored
  }

  storeWaiting(update: Uint8Array): void {
    if (this.#ending === null) this.#writer.add(update, false)
  }

  handleStoredElsewhere(): void {
    this.#writer.releaseElsewhere()
  }

  attach(client: PersistenceClient | null): void {
    this.#client = client
    this.#tellClient()
  }

  stampEpoch(epoch: Epoch): void {
    this.#writer.stampEpoch(epoch)
  }

  /**
   * Another page is gone. What it was to store is stored here; what it stored after we had read the database, the keeper sees to, else it
   * would wait for somebody to open the document anew.
   */
  handlePageGone(): void {
    this.#writer.storeElsewhere()
    if (!this.#isKeeper || this.#ending !== null) return
    this.#cancelOrphans?.()
    this.#cancelOrphans = this.#clock.setTimer(ORPHAN_PAUSE_MS, () => void this.#adoptOrphans())
  }

  confirm(): void {
    if (!this.synced) return
    this.#writer.confirm(this.#isUnverified)
    this.#isUnverified = false
    if (this.#loaded?.pending != null)
      this.#loaded = { ...this.#loaded, pending: null, pendingChanges: 0 }
  }

  /** A value of the application, from the store `custom` that y-indexeddb has too. */
  get(key: IDBValidKey): Promise<unknown> {
    return this.#database.read(({ custom }) => {
      const request = custom.get(key) as IDBRequest<unknown>
      return () => request.result
    })
  }

  set(key: IDBValidKey, value: unknown): Promise<void> {
    return this.#database.write('relaxed', ({ custom }) => {
      custom.put(value, key)
      return () => undefined
    })
  }

  del(key: IDBValidKey): Promise<void> {
    return this.#database.write('relaxed', ({ custom }) => {
      custom.delete(key)
      return () => undefined
    })
  }

  /**
   * The history that is stored has ended on the server: moves it aside, where `asideCopies` finds it,
   * and ends this persistence. The next one on the same name begins with nothing.
   */
  async setAside(): Promise<void> {
    await this.destroy()
    const history = this.#isUnreadable ? null : this.#writer.history
    const ignore = (): void => undefined
    const database = new IndexedDatabase(this.name, { handleDeleted: ignore, handleClosed: ignore })
    try {
      await database.write('strict', setRowsAside(this.#clock.now(), history))
    } finally {
      database.close()
    }
  }

  /** Copies that were set aside, oldest first. They stay until `clearAsideCopies` or `clearData`. */
  asideCopies(): Promise<AsideCopy[]> {
    return this.#database.read(readAside)
  }

  clearAsideCopies(): Promise<void> {
    return this.#database.write('relaxed', clearAside)
  }

  /** Ends the storing, once what waits is stored. The stored document stays. */
  // oxlint-disable-next-line typescript/no-misused-promises -- as y-indexeddb's, which editors await
  override destroy(): Promise<void> {
    if (this.#ending === null) {
      this.#ending = this.#end()
      noteEnding(this.name, this.#ending)
    }
    return this.#ending
  }

  /**
   * Deletes the database, set-aside copies included. Pages that hold it let go; one that does not
   * (y-indexeddb) is told about as `persistence-blocked`, and waited for.
   */
  async clearData(): Promise<void> {
    this.#writer.stop()
    await this.destroy()
    await deleteDatabase(this.name, () =>
      this.#report(
        new ProviderError('persistence-blocked', `another page holds the database ${this.name}`),
        'delete the local copy',
      ),
    )
    await forgetDatabase(this.name)
  }

  readonly #handleUpdate = (update: Uint8Array, origin: unknown): void => {
    if (origin === this) return
    // Nobody counts it who would send it.
    if (this.#client === null) this.#isUnverified = true
    if (this.#client?.isStoredElsewhere?.(origin) === true) this.#writer.addElsewhere(update)
    else this.#writer.add(update, this.#client?.isConfirmed(origin) ?? false)
  }

  readonly #handleDestroy = (): void => void this.destroy()

  async #load(): Promise<void> {
    const cancelPatience = this.#clock.setTimer(LOAD_PATIENCE_MS, () =>
      this.#handleUnreadable(
        new ProviderError(
          'persistence-blocked',
          `the browser did not open ${this.name} within ${LOAD_PATIENCE_MS / 1000} s`,
        ),
      ),
    )
    try {
      await whenEnded(this.name)
      let stored = await this.#database.read(readRows)
      const { epoch } = stored.label
      if (epoch !== null && this.#client?.acceptsEpoch(epoch) === false) {
        await this.#database.write('strict', setRowsAside(this.#clock.now(), stored.label))
        stored = await this.#database.read(readRows)
      }
      if (this.#ending === null) this.#handleStoredRows(stored)
      // What was changed meanwhile is stored all the same.
      else this.#writer.begin(stored, false)
    } catch (cause) {
      this.#handleUnreadable(cause)
    } finally {
      cancelPatience()
      this.#loadEnded.resolve()
    }
  }

  #handleUnreadable(cause: unknown): void {
    this.#isUnreadable = true
    this.#whenSynced.reject(this.#report(cause, 'read the local copy'))
    this.#loadEnded.resolve()
  }

  #handleStoredRows(stored: StoredRows): void {
    const before = this.#before
    if (before !== null && !holds(stored, before)) {
      this.#writer.add(before, false)
      this.#isUnverified = true
    }
    this.#before = null
    this.#isUnreadable = false
    const isWhole = this.#apply(stored)
    const { rows, pending, label } = stored
    const unconfirmed = pendingOf(stored)
    this.#loaded = {
      epoch: label.epoch,
      pending: unconfirmed?.update ?? null,
      pendingChanges: unconfirmed?.changes ?? 0,
    }
    // Rows of y-indexeddb, or unconfirmed rows that it has folded into others.
    const keys = new Set(rows.map(({ key }) => key))
    if (
      rows.some(({ key }) => key > label.lastRow) ||
      [...pending.keys()].some((k) => !keys.has(k))
    )
      this.#isUnverified = true
    this.synced = true
    this.#tellClient()
    this.#writer.begin(stored, isWhole)
    this.emit('synced', [this])
    this.#whenSynced.resolve(this)
  }

  /** One transaction that is nobody's edit. A row that cannot be read stops no other, and is not folded away. */
  #apply({ rows }: StoredRows): boolean {
    const failures: unknown[] = []
    try {
      Y.transact(
        this.doc,
        () => {
          for (const { update } of rows)
            try {
              Y.applyUpdate(this.doc, update, this)
            } catch (cause) {
              failures.push(cause)
            }
        },
        this,
        false,
      )
    } catch (cause) {
      // An observer of the document threw; the rows are in it all the same.
      this.#report(cause, 'show the local copy')
    }
    if (failures.length > 0) this.#report(failures[0], `read ${failures.length} stored changes`)
    return failures.length === 0
  }

  async #adoptOrphans(): Promise<void> {
    if (!this.synced || !this.#isKeeper) return
    try {
      const orphans = await this.#database.read(readOrphans(this.#writer.knownPending))
      if (orphans.rows.length === 0 || this.#ending !== null) return
      // Set aside meanwhile, or of another history: not ours to touch.
      if (!this.#writer.isOf(orphans.label)) return
      const snapshot = Y.snapshot(this.doc)
      const missing = orphans.rows.filter(
        ({ update }) => !Y.snapshotContainsUpdate(snapshot, update),
      )
      this.#apply({ ...orphans, rows: missing })
      this.#writer.adopt(orphans.rows)
      const pending = pendingOf({ ...orphans, rows: missing })
      if (pending === null) this.#client?.handleStored()
      else
        this.#client?.handleLoaded({
          epoch: orphans.label.epoch,
          pending: pending.update,
          pendingChanges: pending.changes,
          isUnverified: false,
        })
    } catch (cause) {
      this.#report(cause, 'read what another page has stored')
    }
  }

  #tellClient(): void {
    if (this.#loaded !== null)
      this.#client?.handleLoaded({ ...this.#loaded, isUnverified: this.#isUnverified })
  }

  async #register(): Promise<void> {
    if (this.#isRegistered || this.#client === null) return
    const { documentName, serverUrl } = this.#client
    await registerDatabase({ database: this.name, document: documentName, url: serverUrl })
    this.#isRegistered = true
  }

  #report(cause: unknown, action: string): ProviderError {
    const error = persistenceError(cause, action)
    if (error.code !== this.#reported) {
      this.#reported = error.code
      this.emit('error', [error])
      this.#client?.handleError(error)
    }
    return error
  }

  async #end(): Promise<void> {
    this.doc.off('update', this.#handleUpdate)
    this.doc.off('destroy', this.#handleDestroy)
    this.#cancelOrphans?.()
    await this.#loadEnded.promise
    await this.#writer.finish()
    this.#database.close()
    this.#releaseKeeper()
    this.#client = null
    if (!this.synced)
      this.#whenSynced.reject(
        new ProviderError('destroyed', 'the persistence was destroyed', { retry: 'never' }),
      )
    super.destroy()
  }
}

/** Whether the rows hold all of an update, deletions included. */
function holds({ rows }: StoredRows, update: Uint8Array): boolean {
  if (rows.length === 0) return false
  const stored = new Y.Doc()
  Y.applyUpdate(stored, mergeAsTree(rows.map((row) => row.update)))
  const isHeld = Y.snapshotContainsUpdate(Y.snapshot(stored), update)
  stored.destroy()
  return isHeld
}
