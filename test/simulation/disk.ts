import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { DEFLATE_OPTIONS, INFLATE_OPTIONS } from '../../src/storage/chunk-records.ts'
import type { DatabaseFiles, OpenLevel, OpenRequest } from '../../src/storage/database-files.ts'
import { StorageError } from '../../src/errors.ts'
import { Random } from '../update/random-world.ts'
import { SimulatedLevel } from './level.ts'
import { apply, type Change, type Rows } from './rows.ts'
import type { Life, Timeline } from './timeline.ts'

/** One file of LevelDB's log: writes in their order, of which the first `synced` survive a power cut. */
interface LogFile {
  readonly writes: (readonly Change[])[]
  synced: number
}

/** How the disk behaves, as shares of 1 unless said otherwise. */
export interface DiskWeather {
  /** The longest that an operation takes, in milliseconds. */
  latencyMs: number
  readError: number
  writeError: number
  /** Nothing can be written, and the database cannot be opened anew. */
  isFull: boolean
}

export const CALM: Readonly<DiskWeather> = {
  latencyMs: 1,
  readError: 0,
  writeError: 0,
  isFull: false,
}

/** LevelDB begins a new log file about this often, counted in writes. */
const ROTATION_SHARE = 0.03
/** So many log files exist at most: older ones are in tables by then, which are synced. */
const MAX_LOG_FILES = 2

/**
 * A disk under LevelDB, as far as a crash can tell: rows in tables, and log files whose tail may be lost. A killed process loses
 * nothing that was written; a power cut loses what no fsync covered. An fsync covers the newest log file only.
 */
export class SimulatedDisk {
  readonly timeline: Timeline
  readonly random: Random
  readonly weather: DiskWeather = { ...CALM }
  #tables: Rows = new Map()
  #logs: LogFile[] = [{ writes: [], synced: 0 }]
  #owner: Life | null = null
  #isCreated = false

  constructor(timeline: Timeline, random: Random) {
    this.timeline = timeline
    this.random = random
  }

  /** The files as one process sees them. */
  filesFor(life: Life): DatabaseFiles {
    return {
      directory: 'simulated',
      // Not on the thread pool, which no seed decides on.
      codec: {
        deflate: (bytes) => Promise.resolve(deflateRawSync(bytes, DEFLATE_OPTIONS)),
        inflate: (bytes) => Promise.resolve(inflateRawSync(bytes, INFLATE_OPTIONS)),
      },
      lock: () => this.#lock(life),
      isNew: () => !this.#isCreated,
      open: (request) => this.#open(life, request),
      logBytes: () => 0,
      droppedLines: () => [],
    }
  }

  /** What a process that opens the database now finds. */
  rows(): Rows {
    const rows: Rows = new Map(this.#tables)
    for (const { writes } of this.#logs) for (const changes of writes) apply(rows, changes)
    return rows
  }

  /** Puts other rows in place of all: a restored backup. Nobody may have it open. */
  restore(rows: Rows): void {
    this.#tables = new Map(rows)
    this.#logs = [{ writes: [], synced: 0 }]
  }

  /** A disk with the same rows, and nothing else in common. */
  copy(timeline: Timeline): SimulatedDisk {
    const copy = new SimulatedDisk(timeline, new Random(1))
    copy.restore(this.rows())
    copy.#isCreated = this.#isCreated
    copy.weather.latencyMs = 0
    return copy
  }

  write(changes: readonly Change[], isSynced: boolean): void {
    if (this.random.chance(ROTATION_SHARE)) this.#rotate()
    const log = this.#logs.at(-1) as LogFile
    log.writes.push(changes)
    if (isSynced) log.synced = log.writes.length
  }

  /** The power goes: of each log file a piece that no fsync covered is lost, from some write on. */
  cutPower(): void {
    for (const log of this.#logs) {
      const unsynced = log.writes.length - log.synced
      log.writes.length = log.synced + this.random.below(unsynced + 1)
    }
    this.restore(this.rows())
  }

  #lock(life: Life): ReturnType<DatabaseFiles['lock']> {
    if (this.#owner?.isAlive && this.#owner !== life)
      throw new StorageError('storage-locked', 'the simulated directory is in use')
    this.#owner = life
    return {
      takenOverFrom: null,
      release: () => {
        if (this.#owner === life) this.#owner = null
      },
    }
  }

  async #open(life: Life, request: OpenRequest): Promise<OpenLevel> {
    await this.timeline.pause(this.random.below(this.weather.latencyMs + 1), life)
    if (this.weather.isFull) throw new Error('no space left on the simulated disk')
    if (!this.#isCreated && !request.createIfMissing) throw new Error('there is no database')
    this.#isCreated = true
    // LevelDB writes what it finds in the logs to tables, and syncs those.
    this.restore(this.rows())
    return new SimulatedLevel(this, life) as unknown as OpenLevel
  }

  #rotate(): void {
    this.#logs.push({ writes: [], synced: 0 })
    if (this.#logs.length <= MAX_LOG_FILES) return
    const oldest = this.#logs.shift() as LogFile
    for (const changes of oldest.writes) apply(this.#tables, changes)
  }
}
