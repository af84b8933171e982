import type { Accepted } from '../../src/connection/accepted-connection.ts'
import type { Transport } from '../../src/connection/connection.ts'
import type { DocumentWorker } from '../../src/log/document-worker.ts'
import { diff, fold, merge, toJson, type StoredParts } from '../../src/log/fold.ts'
import { resolveOptions } from '../../src/options.ts'
import { Server } from '../../src/server.ts'
import { LevelStorage } from '../../src/storage/level-storage.ts'
import type { Logger } from '../../src/telemetry/logger.ts'
import type { Random } from '../update/random-world.ts'
import type { SimulatedDisk } from './disk.ts'
import { Life, type Timeline } from './timeline.ts'

/** So little that tables are rewritten although the documents are small. */
const TABLE_WASTE_BYTES = 512

/** What differs between servers of one story. */
export interface ServerSettings {
  /** Absent in stories that are older: 0. */
  readonly commitIntervalMs?: number
  readonly relayIntervalMs: number
  readonly presenceIntervalMs: number
  readonly idleUnloadMs: number
  readonly recentBytes: number
  readonly snapshotCacheBytes: number
  readonly compactAfterEntries: number
  /** The longest that a worker thread takes, in milliseconds. */
  readonly workerMs: number
  /** The share of its tasks in which a worker thread fails. */
  readonly workerError: number
}

/** Clients whose name is in here may only read. */
type Readers = ReadonlySet<string>

/** What the server told its operator. */
export interface LoggedError {
  readonly message: string
  readonly error: unknown
}

/** One life of a server process: the real server and storage over simulated time, disk and network. */
export class ServerNode {
  readonly life: Life
  readonly server: Server
  readonly links = new Set<{ handleHostDied(): void }>()
  readonly errors: LoggedError[] = []

  constructor(
    name: string,
    settings: ServerSettings,
    readers: Readers,
    timeline: Timeline,
    disk: SimulatedDisk,
    random: Random,
    handleNotOpened: () => void,
  ) {
    this.life = new Life(name)
    const logger = this.#logger()
    const { workerMs, workerError, ...given } = settings
    const options = { commitIntervalMs: 0, ...given }
    const worker = simulatedWorker((run) => {
      const isFailed = random.chance(workerError)
      return timeline.pause(random.below(workerMs + 1), this.life).then(() => {
        if (isFailed) throw new Error('simulated end of the worker thread')
        return run()
      })
    })
    this.server = new Server(
      resolveOptions({
        ...options,
        storage: new LevelStorage(disk.filesFor(this.life), {
          logger,
          tableWasteBytes: TABLE_WASTE_BYTES,
        }),
        clock: timeline.serverClock(this.life),
        authorize: (user) => (readers.has(user?.id ?? '') ? 'read' : 'write'),
        logger,
      }),
      worker,
    )
    this.server.ready().catch(handleNotOpened)
  }

  accept(transport: Transport, client: string): Accepted {
    return this.server.accept(transport, { id: client })
  }

  /** The process is killed: nothing of it runs on, and its connections close. */
  kill(): void {
    this.life.end()
    for (const link of [...this.links]) link.handleHostDied()
  }

  #logger(): Logger {
    const ignore = (): void => undefined
    return {
      debug: ignore,
      info: ignore,
      warn: ignore,
      error: (message, fields) => {
        const { error } = (fields ?? {}) as { error?: unknown }
        this.errors.push({ message, error })
      },
    }
  }
}

/** Does what the worker threads do, later but in this thread. What is handed over is copied, as between threads. */
function simulatedWorker(later: <Result>(run: () => Result) => Promise<Result>): DocumentWorker {
  const given = (parts: StoredParts): StoredParts =>
    structuredClone({ ...parts, updates: [...parts.updates] })
  return {
    fold(parts) {
      const copy = given(parts)
      return later(() => fold(copy))
    },
    diff(parts, stateVector) {
      const copy = given(parts)
      return later(() => diff(copy, stateVector))
    },
    merge(parts) {
      const copy = given(parts)
      return later(() => merge(copy))
    },
    toJson(parts) {
      const copy = given(parts)
      return later(() => toJson(copy))
    },
    close: () => Promise.resolve(),
  }
}
