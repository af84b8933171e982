import type { Logger } from '../telemetry/logger.ts'
import type { LevelDatabase } from './level-database.ts'
import { reasonOf } from './level-error.ts'

/**
 * Beyond this LevelDB's own merging, which begins with four tables, keeps the waste small in proportion; and while as much is merged at
 * once, a write waits up to a tenth of a second for the disk.
 */
const MAX_TABLE_BYTES = 16 * 1024 * 1024
/** At the end, when nobody waits but for the process: a quarter of a second, where the server allows itself some to let go of its storage. */
const MAX_BYTES_AT_END = 32 * 1024 * 1024

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
   * Rows were removed, with so many bytes of tables. Merges the tables, in the background, when half of them may be waste, and
   * `wasteBytes`. What was added since the last merge counts as waste: most of it are logs that a snapshot replaced before they
   * came into a table.
   */
  consider(removedBytes: number): void {
    this.#removedBytes += removedBytes
    if (this.#isStopped) return
    // What is not in tables yet is in the log, of two write buffers at most; merging it now would only write it once more.
    this.#running ??= this.#tidy(0, MAX_TABLE_BYTES).finally(() => (this.#running = null))
  }

  /** Nothing is begun any more. */
  stop(): void {
    this.#isStopped = true
  }

  async whenIdle(): Promise<void> {
    await this.#running
  }

  /** The same for the last time, when nobody waits for anything: the next start would write what the log holds to a table. Never rejects. */
  async finish(logBytes: number): Promise<void> {
    this.stop()
    await this.whenIdle()
    await this.#tidy(logBytes, MAX_BYTES_AT_END)
  }

  async #tidy(logBytes: number, maxBytes: number): Promise<void> {
    try {
      if (await this.#isDue(logBytes, maxBytes)) {
        this.#removedBytes = 0
        await this.#database.mergeTables()
      }
    } catch (error) {
      this.#logger.warn('the tables could not be merged; they stay larger than need be', {
        error: reasonOf(error),
      })
    }
  }

  async #isDue(logBytes: number, maxBytes: number): Promise<boolean> {
    const bytes = (await this.#database.tableBytes()) + logBytes
    if (bytes > maxBytes) return false
    const addedBytes = Math.max(0, bytes - (await this.#database.mergedBytes()))
    const waste = Math.min(bytes, this.#removedBytes + addedBytes)
    return waste >= Math.max(this.#wasteBytes, bytes / 2)
  }
}
