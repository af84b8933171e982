import { randomBytes } from 'node:crypto'
import type { Epoch } from '../../protocol/index.ts'
import { StorageError } from '../errors.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { ChunkCodec } from './chunk-records.ts'
import type { DatabaseFiles, OpenLevel } from './database-files.ts'
import { locked } from './directory-lock.ts'
import { levelCode, reasonOf, storageError } from './level-error.ts'
import { ALL_KEYS, FORMAT_COPY_KEY, FORMAT_KEY, type KeyRange, MERGED_KEY } from './level-keys.ts'
import {
  decodeFormat,
  decodeMerged,
  encodeFormat,
  encodeMerged,
  FORMAT_VERSION,
  type FormatRecord,
} from './records.ts'

export type WriteOperation =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: Uint8Array }

export interface DatabaseOptions {
  /** Wait for the disk with every write. */
  readonly isSynced: boolean
  readonly writeBufferBytes: number
  readonly cacheBytes: number
  readonly logger: Logger
  /** What was read before may be wrong now: a write that had failed may have come back with the log. */
  readonly handleReopened: () => void
}

/**
 * The open LevelDB. After a failed write it is closed and opened anew before anything else is done: LevelDB
 * refuses all writes after a failed fsync, and after a half-written log record it writes on behind bytes
 * that the next start cannot read past.
 */
export class LevelDatabase {
  readonly #files: DatabaseFiles
  readonly #directory: string
  readonly #options: DatabaseOptions
  #level: OpenLevel | null = null
  #databaseId: string | null = null
  #opening: Promise<void> | null = null
  /** How often the database was opened anew. What was read in another era is not to be built upon. */
  #era = 0

  constructor(files: DatabaseFiles, options: DatabaseOptions) {
    this.#files = files
    this.#directory = files.directory
    this.#options = options
  }

  get codec(): ChunkCodec {
    return this.#files.codec
  }

  get era(): number {
    return this.#era
  }

  /** The same for a name never written, whenever it is asked for; another in every other database. */
  epochOf(generation: number): Epoch {
    if (this.#databaseId === null) throw unavailable(this.#directory)
    return `${this.#databaseId}-${generation}`
  }

  /** The row that every database has. To write it again changes nothing, and tells whether writes succeed. */
  formatRow(): WriteOperation {
    if (this.#databaseId === null) throw unavailable(this.#directory)
    return formatRows(this.#databaseId)[0] as WriteOperation
  }

  /** Throws between a failed write and a successful reopening; await `ready` first. */
  get level(): OpenLevel {
    if (this.#level === null) throw unavailable(this.#directory)
    return this.#level
  }

  async open(): Promise<void> {
    this.#level = await this.#openLevel(this.#files.isNew())
    try {
      this.#databaseId = await this.#readFormat(this.#level)
    } catch (error) {
      await this.close()
      throw error
    }
    for (const line of this.#files.droppedLines())
      this.#options.logger.error(
        'LevelDB dropped damaged bytes of its log: updates may be missing',
        {
          directory: this.#directory,
          line,
        },
      )
  }

  /** Resolves when `level` can be used. Opens the database anew if the last attempt failed. */
  async ready(): Promise<void> {
    if (this.#level !== null) return
    this.#opening ??= this.#reopen().finally(() => (this.#opening = null))
    try {
      await this.#opening
    } catch (error) {
      // Whatever keeps it shut, to a caller it is a failed call that may be tried again.
      const { message } = storageError(error, 'opening the database anew')
      throw new StorageError('storage-unavailable', message, { cause: error })
    }
  }

  /**
   * Applies all operations or none. When it rejects the database has been opened anew, or `ready` will.
   * With an `era`: refuses when the database was opened anew since then.
   */
  async write(operations: readonly WriteOperation[], era = this.#era): Promise<void> {
    await this.ready()
    if (era !== this.#era)
      throw new StorageError('storage-unavailable', 'The database was opened anew meanwhile.')
    const level = this.level
    try {
      await level.batch([...operations], { sync: this.#options.isSynced })
      // Another write failed meanwhile. It may have left half a record before this one, and then opening anew cuts off both.
      if (this.#level !== level) throw unavailable(this.#directory)
    } catch (error) {
      await this.#handleWriteFailure(level, error)
      throw storageError(error, `writing to ${this.#directory}`)
    }
  }

  /**
   * Removes what nothing refers to any more. LevelDB does it on its own thread, in batches of about 16 KiB of keys
   * between which other writes get through, and without fsync: what a power cut brings back is garbage.
   */
  async clear(range: KeyRange): Promise<void> {
    await this.ready()
    const level = this.level
    try {
      await level.clear({ gte: range.gte, lt: range.lt })
    } catch (error) {
      await this.#handleWriteFailure(level, error)
      throw storageError(error, `removing replaced rows from ${this.#directory}`)
    }
  }

  /** About how many bytes of the tables these rows take, and those that were removed but are there still; nothing of what only the log holds. */
  async tableBytes({ gte, lt }: KeyRange = ALL_KEYS): Promise<number> {
    await this.ready()
    return this.level.approximateSize(gte, lt)
  }

  /** Rewrites all tables without what was removed, on LevelDB's own thread, and notes how large they are then. A crash leaves the old ones or the new. */
  async mergeTables(): Promise<void> {
    await this.ready()
    const hadTables = (await this.tableBytes()) > 0
    await this.#compactAll()
    if (!hadTables) {
      // LevelDB has put its first table so deep that merging leaves it alone, until a row from both ends of the keys lies above it.
      if (this.#databaseId === null) throw unavailable(this.#directory)
      await this.write(formatRows(this.#databaseId))
      await this.#compactAll()
    }
    const value = encodeMerged(MERGED_KEY, await this.tableBytes())
    await this.write([{ type: 'put', key: MERGED_KEY, value }])
  }

  async #compactAll(): Promise<void> {
    await this.ready()
    await this.level.compactRange(ALL_KEYS.gte, ALL_KEYS.lt)
  }

  /** How large the tables were after the last merge; 0 if there was none. */
  async mergedBytes(): Promise<number> {
    await this.ready()
    const stored = await this.level.get(MERGED_KEY)
    return stored === undefined ? 0 : decodeMerged(MERGED_KEY, stored)
  }

  async close(): Promise<void> {
    await this.#opening?.catch(() => undefined)
    const level = this.#level
    this.#level = null
    await level?.close()
  }

  async #handleWriteFailure(failed: OpenLevel, error: unknown): Promise<void> {
    this.#options.logger.error('a write failed; opening the database anew', {
      directory: this.#directory,
      error: reasonOf(error),
    })
    // Of several writes that fail together the first opens the database anew, the others wait for it.
    if (this.#level === failed) {
      this.#level = null
      this.#opening ??= this.#reopen(failed).finally(() => (this.#opening = null))
    }
    await this.#opening?.catch((cause: unknown) =>
      this.#options.logger.error('the database could not be opened anew', {
        directory: this.#directory,
        error: reasonOf(cause),
      }),
    )
  }

  async #reopen(failed?: OpenLevel): Promise<void> {
    await failed?.close()
    // Never create here: a directory that has vanished (an unmounted volume) must not come back empty.
    const level = await this.#openLevel(false)
    try {
      if ((await this.#readFormat(level)) !== this.#databaseId)
        throw new StorageError('storage-format', `${this.#directory} holds another database now.`)
    } catch (error) {
      await level.close()
      throw error
    }
    this.#era++
    this.#options.handleReopened()
    this.#level = level
  }

  async #openLevel(createIfMissing: boolean): Promise<OpenLevel> {
    const { writeBufferBytes, cacheBytes } = this.#options
    try {
      return await this.#files.open({ createIfMissing, writeBufferBytes, cacheBytes })
    } catch (error) {
      throw error instanceof StorageError ? error : this.#openError(error)
    }
  }

  /** The database id, drawn and stored when the database is new. */
  async #readFormat(level: OpenLevel): Promise<string> {
    const copies = await Promise.all(FORMAT_KEYS.map((key) => level.get(key)))
    const [format] = FORMAT_KEYS.flatMap((key, at) => decodedFormat(key, copies[at]))
    if (format === undefined) {
      if (copies.some((copy) => copy !== undefined))
        throw this.#formatError('has a damaged format record')
      if ((await level.keys({ limit: 1 }).all()).length > 0)
        throw this.#formatError('holds a LevelDB database of something else')
      const databaseId = randomBytes(8).toString('hex')
      await level.batch(formatRows(databaseId), { sync: true })
      return databaseId
    }
    if (format.version > FORMAT_VERSION)
      throw this.#formatError(
        `was written by a newer version (format ${format.version}, this one knows ${FORMAT_VERSION})`,
      )
    // Lost, or of the first releases, which had one copy and rows of another shape.
    if (format.version < FORMAT_VERSION || copies.some((copy) => copy === undefined))
      await level.batch(formatRows(format.databaseId), { sync: true })
    return format.databaseId
  }

  #openError(error: unknown): StorageError {
    const code = levelCode(error)
    if (code === 'LEVEL_LOCKED') return locked(this.#directory, 'another process', error)
    const fault = code === 'LEVEL_CORRUPTION' ? 'is damaged' : 'cannot be opened'
    const message = `The database in ${this.#directory} ${fault}: ${reasonOf(error)}`
    return new StorageError('storage-inaccessible', message, { cause: error })
  }

  #formatError(fault: string): StorageError {
    return new StorageError('storage-format', `The database in ${this.#directory} ${fault}.`)
  }
}

const FORMAT_KEYS = [FORMAT_KEY, FORMAT_COPY_KEY] as const

function formatRows(databaseId: string): WriteOperation[] {
  const format = { version: FORMAT_VERSION, databaseId }
  return FORMAT_KEYS.map((key) => ({ type: 'put', key, value: encodeFormat(key, format) }))
}

function decodedFormat(key: Uint8Array, stored: Uint8Array | undefined): FormatRecord[] {
  const format = stored === undefined ? null : decodeFormat(key, stored)
  return format === null ? [] : [format]
}

function unavailable(directory: string): StorageError {
  return new StorageError('storage-unavailable', `The database in ${directory} is not open.`)
}
