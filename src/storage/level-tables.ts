import type { Logger } from '../telemetry/logger.ts'
import type { LevelDatabase } from './level-database.ts'
import { reasonOf } from './level-error.ts'

/**
 * Beyond this LevelDB's own merging keeps the waste small in proportion, and merging all at once would keep the disk busy for
 * seconds and LevelDB from merging anything else, until writes have to wait.
 */
const MAX_TABLE_BYTES = 64 * 1024 * 1024

/**
 * Gives the disk back what was removed. LevelDB keeps removed rows, and a row for each removal, until it merges tables by itself; a small
 * database, all of whose tables fit into its first level, may wait for that forever.
 */
export class LevelTables {
  readonly #database: LevelDatabase
  readonly #logger: Logger
  readonly #wasteBytes: number
  /** What was removed from tables since they were merged, as far as this process knows. */
  #removedBytes = 0
  #running: Promise<void> | null = null
  #isStopped = false

  constructor(database: LevelDatabase, logger: Logger, wasteBytes: number) {
    this.#database = database
    this.#logger = logger
    this.#wasteBytes = wasteBytes
  }

  /**
   * Rows were removed, with so many bytes of tables, or an earlier process may have removed some. Merges the tables, in the background, when
   * half of them may be waste, and `wasteBytes`. What was added since the last merge counts as waste: most of it are logs that a
   * snapshot replaced before they came into a table.
   */
  consider(removedBytes: number): void {
    this.#removedBytes += removedBytes
    if (this.#isStopped) return
    this.#running ??= this.#tidy()
      .catch((error: unknown) =>
        this.#logger.warn('the tables could not be merged; they stay larger than need be', {
          error: reasonOf(error),
        }),
      )
      .finally(() => (this.#running = null))
  }

  /** Nothing is begun any more. */
  stop(): void {
    this.#isStopped = true
  }

  async whenIdle(): Promise<void> {
    await this.#running
  }

  async #tidy(): Promise<void> {
    const bytes = await this.#database.tableBytes()
    const addedBytes = Math.max(0, bytes - (await this.#database.mergedBytes()))
    const waste = Math.min(bytes, this.#removedBytes + addedBytes)
    // What is not in tables yet is in the log, of two write buffers at most; merging it early would only write it once more.
    if (bytes > MAX_TABLE_BYTES || waste < Math.max(this.#wasteBytes, bytes / 2)) return
    if (this.#isStopped) return
    this.#removedBytes = 0
    await this.#database.mergeTables()
  }
}
