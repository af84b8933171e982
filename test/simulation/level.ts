import type { Random } from '../update/random-world.ts'
import { apply, type Change, keyOf, type Row, type Rows } from './rows.ts'
import type { Life, Timeline } from './timeline.ts'

/** What lies below an opened database. */
export interface LowerDisk {
  readonly timeline: Timeline
  readonly random: Random
  readonly weather: {
    readonly latencyMs: number
    readonly readError: number
    readonly writeError: number
    readonly isFull: boolean
  }
  rows(): Rows
  write(changes: readonly Change[], isSynced: boolean): void
}

interface Range {
  readonly gte?: Uint8Array
  readonly lt?: Uint8Array
  readonly reverse?: boolean
  readonly limit?: number
}

/** LevelDB clears a range in batches, between which others read and write. */
const CLEARED_AT_ONCE = 3

/**
 * One opened database: the part of `level` that the storage uses, each call done at some later moment. After a failed
 * write it refuses all further ones, as LevelDB does; whether the failed write is there is seen only after the next opening.
 */
export class SimulatedLevel {
  readonly #disk: LowerDisk
  readonly #life: Life
  readonly #rows: Rows
  readonly #underWay = new Set<Promise<unknown>>()
  #isBroken = false
  #isClosed = false

  constructor(disk: LowerDisk, life: Life) {
    this.#disk = disk
    this.#life = life
    this.#rows = disk.rows()
  }

  get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#read(() => this.#rows.get(keyOf(key))?.[1].slice())
  }

  has(key: Uint8Array): Promise<boolean> {
    return this.#read(() => this.#rows.has(keyOf(key)))
  }

  put(key: Uint8Array, value: Uint8Array, options: { sync?: boolean } = {}): Promise<void> {
    return this.batch([{ type: 'put', key, value }], options)
  }

  batch(changes: readonly Change[], { sync = false }: { sync?: boolean } = {}): Promise<void> {
    // LevelDB copies; what the caller does with its buffers later is not seen.
    const copied = changes.map((change): Change => {
      const key = change.key.slice()
      return change.type === 'put'
        ? { type: 'put', key, value: change.value.slice() }
        : { type: 'del', key }
    })
    return this.#call(async () => {
      await this.#pause()
      this.#write(copied, sync)
      await this.#pause()
    })
  }

  clear(range: Range): Promise<void> {
    return this.#call(async () => {
      const keys = this.#select(range).map(([key]) => key)
      for (let at = 0; at < keys.length; at += CLEARED_AT_ONCE) {
        await this.#pause()
        const some = keys.slice(at, at + CLEARED_AT_ONCE)
        this.#write(
          some.map((key) => ({ type: 'del', key })),
          false,
        )
      }
      await this.#pause()
    })
  }

  keys(range: Range): { all(): Promise<Uint8Array[]> } {
    const rows = this.#select(range)
    return { all: () => this.#read(() => rows.map(([key]) => key.slice())) }
  }

  /** Shows the rows as of now. */
  iterator(range: Range): { nextv(count: number): Promise<Row[]>; close(): Promise<void> } {
    const rows = this.#select(range)
    return {
      nextv: (count) =>
        this.#read(() =>
          rows.splice(0, count).map(([key, value]): Row => [key.slice(), value.slice()]),
        ),
      close: () => Promise.resolve(),
    }
  }

  /** As if all rows were in tables. */
  approximateSize(): Promise<number> {
    return this.#read(() =>
      [...this.#rows.values()].reduce((sum, [key, value]) => sum + key.length + value.length, 0),
    )
  }

  /** Whether it is cut short or not, nothing changes for a reader. */
  compactRange(): Promise<void> {
    return this.#call(() => this.#pause())
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.allSettled(this.#underWay)
    await this.#pause()
  }

  #write(changes: readonly Change[], isSynced: boolean): void {
    const { random, weather } = this.#disk
    if (this.#isBroken) throw new Error('the simulated database is broken by an earlier error')
    if (weather.isFull || random.chance(weather.writeError)) {
      this.#isBroken = true
      // It may have reached the log all the same, and comes back with it.
      if (!weather.isFull && random.chance(0.5)) this.#disk.write(changes, false)
      throw new Error('simulated I/O error while writing')
    }
    this.#disk.write(changes, isSynced)
    apply(this.#rows, changes)
  }

  #read<Result>(read: () => Result): Promise<Result> {
    return this.#call(async () => {
      await this.#pause()
      const { random, weather } = this.#disk
      if (random.chance(weather.readError)) throw new Error('simulated I/O error while reading')
      return read()
    })
  }

  #select({ gte, lt, reverse = false, limit = Infinity }: Range): Row[] {
    const from = gte === undefined ? '' : keyOf(gte)
    const to = lt === undefined ? null : keyOf(lt)
    const found = [...this.#rows]
      .filter(([key]) => key >= from && (to === null || key < to))
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([, row]) => row)
    return (reverse ? found.reverse() : found).slice(0, limit)
  }

  #pause(): Promise<void> {
    const { timeline, random, weather } = this.#disk
    return timeline.pause(random.below(weather.latencyMs + 1), this.#life)
  }

  #call<Result>(run: () => Promise<Result>): Promise<Result> {
    if (this.#isClosed) return Promise.reject(new Error('the simulated database is not open'))
    const call = run().finally(() => this.#underWay.delete(call))
    this.#underWay.add(call)
    return call
  }
}
