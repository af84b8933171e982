import type { DocumentName, Epoch } from '../../protocol/index.ts'
import { StorageError } from '../errors.ts'
import { type Logger, silentLogger } from '../telemetry/logger.ts'
import { type DatabaseFiles, filesIn } from './database-files.ts'
import type { DirectoryLock } from './directory-lock.ts'
import { DocumentStates } from './document-states.ts'
import { stageAppends } from './level-append.ts'
import { LevelDatabase } from './level-database.ts'
import { reasonOf, storageError } from './level-error.ts'
import { findConcerned } from './level-damage-search.ts'
import { learnState } from './level-log.ts'
import { LevelMaintenance } from './level-maintenance.ts'
import { LevelReader } from './level-reader.ts'
import { LevelTables } from './level-tables.ts'
import { recordDamaged } from './records.ts'
import type {
  Append,
  AppendOutcome,
  DocumentHead,
  ListRequest,
  LogEntry,
  NewSnapshot,
  Storage,
  StoredChunk,
} from './storage.ts'
import { WriteQueue } from './write-queue.ts'

export interface LevelStorageOptions {
  /**
   * `strict` (default): what `append` has resolved survives a power cut. `relaxed`: no fsync; it survives the end of
   * the process, but a power cut may take the last seconds.
   */
  readonly durability?: 'strict' | 'relaxed'
  /** Default: silent. */
  readonly logger?: Logger
  /**
   * Open the database although files of it are damaged or missing in a way that no longer tells which documents are concerned, and
   * refuse none for what it may have lost: documents may come back shorter, not at all, or as they were before they were deleted. Default
   * false: `open` rejects and says what is damaged, or sets it aside and refuses the documents that it concerns.
   */
  readonly acceptLoss?: boolean
  /**
   * How much LevelDB gathers in memory (twice this at most) before it writes a sorted table. Default 16 MiB: more
   * means fewer rewrites of what a snapshot soon replaces, and a longer start after a crash.
   */
  readonly writeBufferBytes?: number
  /** LevelDB's cache of table blocks. Default 32 MiB. */
  readonly cacheBytes?: number
  /**
   * How much removed rows may take in LevelDB's tables before these are merged, or as much as all else in them. Default 128 KiB. Tables of more than
   * 16 MiB LevelDB merges by itself, bit by bit.
   */
  readonly tableWasteBytes?: number
}

const DEFAULT_WRITE_BUFFER_BYTES = 16 * 1024 * 1024
const DEFAULT_CACHE_BYTES = 32 * 1024 * 1024
const DEFAULT_TABLE_WASTE_BYTES = 128 * 1024
/** A few MB of memory; a document beyond costs two reads when it is next used. */
const REMEMBERED_DOCUMENTS = 10_000
/** Of damaged documents, in one line of the log; damage.json has them all. */
const NAMES_PER_REPORT = 100

/**
 * Keeps documents in a directory: LevelDB in `log/`, and beside it the file `lock` while the storage is open. One
 * storage at a time can have a directory open.
 */
export function levelStorage(directory: string, options: LevelStorageOptions = {}): Storage {
  const logger = options.logger ?? silentLogger
  const acceptLoss = (fault: string): void =>
    logger.error('the database is damaged; going on without what cannot be read', {
      directory,
      fault,
    })
  return new LevelStorage(
    filesIn(directory, options.acceptLoss === true ? acceptLoss : null),
    options,
  )
}

export class LevelStorage implements Storage {
  readonly #files: DatabaseFiles
  readonly #directory: string
  readonly #logger: Logger
  readonly #database: LevelDatabase
  readonly #states: DocumentStates
  readonly #writes: WriteQueue
  readonly #reader: LevelReader
  readonly #tables: LevelTables
  readonly #maintenance: LevelMaintenance
  readonly #underWay = new Set<Promise<unknown>>()
  #status: 'new' | 'open' | 'closed' = 'new'
  #opening: Promise<void> | null = null
  #closing: Promise<void> | null = null
  #lock: DirectoryLock | null = null

  constructor(files: DatabaseFiles, options: LevelStorageOptions) {
    this.#files = files
    this.#directory = files.directory
    this.#logger = options.logger ?? silentLogger
    this.#database = new LevelDatabase(files, {
      isSynced: (options.durability ?? 'strict') === 'strict',
      writeBufferBytes: options.writeBufferBytes ?? DEFAULT_WRITE_BUFFER_BYTES,
      cacheBytes: options.cacheBytes ?? DEFAULT_CACHE_BYTES,
      logger: this.#logger,
      handleReopened: () => this.#states.clear(),
    })
    this.#states = new DocumentStates(REMEMBERED_DOCUMENTS, async (name) => {
      await this.#database.ready()
      const fault = this.#files.damage?.().faultOf(name) ?? null
      if (fault !== null) throw recordDamaged({ name, what: 'record' }, fault)
      return learnState(this.#database.level, name)
    })
    this.#writes = new WriteQueue(this.#database, this.#states)
    this.#tables = new LevelTables(
      this.#database,
      this.#logger,
      options.tableWasteBytes ?? DEFAULT_TABLE_WASTE_BYTES,
    )
    this.#maintenance = new LevelMaintenance(
      this.#database,
      this.#states,
      this.#writes,
      this.#tables,
      this.#logger,
    )
    this.#reader = new LevelReader(this.#database, this.#states, this.#maintenance)
  }

  open(): Promise<void> {
    if (this.#status === 'closed' || this.#closing !== null) return Promise.reject(notOpen())
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = null
      throw error
    })
    return this.#opening
  }

  head(name: DocumentName): Promise<DocumentHead> {
    return this.#call(`reading document ${JSON.stringify(name)}`, () => this.#reader.head(name))
  }

  append(batch: readonly Append[]): Promise<readonly AppendOutcome[]> {
    const names = batch.map(({ name }) => name)
    const epochOf = (generation: number): Epoch => this.#database.epochOf(generation)
    return this.#call('appending', () =>
      this.#writes.run(names, (stage) => {
        if (batch.length === 0) stage.add(this.#database.formatRow())
        return stageAppends(stage, batch, epochOf)
      }),
    )
  }

  readEntries(
    name: DocumentName,
    epoch: Epoch,
    after: number,
    maxBytes: number,
  ): Promise<readonly LogEntry[]> {
    return this.#call(`reading the log of document ${JSON.stringify(name)}`, () =>
      this.#reader.readEntries(name, epoch, after, maxBytes),
    )
  }

  readSnapshotChunk(
    name: DocumentName,
    epoch: Epoch,
    snapshotSeq: number,
    chunk: number,
  ): Promise<Uint8Array | null> {
    return this.#call(`reading a snapshot of document ${JSON.stringify(name)}`, () =>
      this.#reader.readSnapshotChunk(name, epoch, snapshotSeq, chunk),
    )
  }

  readStoredChunk(
    name: DocumentName,
    epoch: Epoch,
    snapshotSeq: number,
    chunk: number,
  ): Promise<StoredChunk | null> {
    return this.#call(`reading a snapshot of document ${JSON.stringify(name)}`, () =>
      this.#reader.readStoredChunk(name, epoch, snapshotSeq, chunk),
    )
  }

  replacePrefix(name: DocumentName, epoch: Epoch, snapshot: NewSnapshot): Promise<boolean> {
    return this.#call(`storing a snapshot of document ${JSON.stringify(name)}`, () =>
      this.#maintenance.replacePrefix(
        name,
        (state) => epoch === this.#database.epochOf(state.generation),
        snapshot,
      ),
    )
  }

  condense(name: DocumentName, epoch: Epoch): Promise<boolean> {
    return this.#call(`condensing document ${JSON.stringify(name)}`, () =>
      this.#maintenance.condense(
        name,
        (state) => this.#database.epochOf(state.generation) === epoch,
      ),
    )
  }

  list(request: ListRequest): Promise<readonly DocumentName[]> {
    return this.#call('listing documents', () => this.#reader.list(request))
  }

  delete(name: DocumentName): Promise<Epoch> {
    return this.#call(`deleting document ${JSON.stringify(name)}`, async () => {
      const generation = await this.#maintenance.delete(name)
      this.#files.damage?.().release(name)
      return this.#database.epochOf(generation)
    })
  }

  damagedDocuments(): readonly DocumentName[] {
    return (this.#files.damage?.().documents ?? []) as readonly DocumentName[]
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #open(): Promise<void> {
    try {
      this.#lock = this.#files.lock()
      if (this.#lock.takenOverFrom !== null)
        this.#logger.warn('took over the directory from a process that has ended', {
          directory: this.#directory,
          pid: this.#lock.takenOverFrom.pid,
        })
      await this.#database.open()
      await this.#examineDamage()
      await this.#maintenance.sweepLeftovers()
    } catch (error) {
      await this.#database.close()
      this.#lock?.release()
      this.#lock = null
      if (error instanceof StorageError && error.code !== 'storage-unavailable') throw error
      throw new StorageError(
        'storage-inaccessible',
        `The directory ${this.#directory} cannot be used: ${reasonOf(error)}`,
        { cause: error },
      )
    }
    this.#status = 'open'
  }

  /** Which documents are concerned by damage that was set aside is found out once, before anybody can change them. */
  async #examineDamage(): Promise<void> {
    const damage = this.#files.damage?.()
    if (damage === undefined) return
    if (damage.unexamined.length > 0) {
      const { lostRecords, documents } = await findConcerned(
        this.#database.level,
        damage.unexamined,
      )
      damage.settle(lostRecords, documents)
    }
    if (damage.foundNow !== null)
      this.#logger.error('damaged files of the database were set aside', {
        directory: this.#directory,
        ...damage.foundNow,
      })
    if (damage.isRefusing)
      this.#logger.error(
        'documents are refused that damage may have cut short; delete them, restore a backup, or accept the loss',
        {
          directory: this.#directory,
          documents: damage.documents.length,
          names: damage.documents.slice(0, NAMES_PER_REPORT),
        },
      )
  }

  async #close(): Promise<void> {
    await this.#opening?.catch(() => undefined)
    this.#status = 'closed'
    this.#maintenance.stop()
    this.#tables.stop()
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay)
    await this.#maintenance.whenIdle()
    if (this.#lock !== null) {
      await this.#maintenance.recordHeads().catch((error: unknown) =>
        this.#logger.warn('the ends of the logs could not be recorded', {
          error: reasonOf(error),
        }),
      )
      await this.#tables.finish(this.#files.logBytes())
    }
    try {
      await this.#database.close()
    } finally {
      this.#lock?.release()
    }
  }

  async #call<Result>(doing: string, call: () => Promise<Result>): Promise<Result> {
    if (this.#status !== 'open') throw notOpen()
    try {
      return await this.#track(call())
    } catch (error) {
      throw storageError(error, doing)
    }
  }

  #track<Result>(promise: Promise<Result>): Promise<Result> {
    const tracked = promise.finally(() => this.#underWay.delete(tracked))
    this.#underWay.add(tracked)
    return tracked
  }
}

function notOpen(): StorageError {
  return new StorageError('storage-unavailable', 'The storage is not open.')
}
