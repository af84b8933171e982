import type { Random } from '../../update/random-world.ts'
import type { Timeline } from '../timeline.ts'
import { Channels } from './channels.ts'
import { Database, Handle } from './database.ts'
import { Locks } from './locks.ts'
import type { Page } from './page.ts'

/** A browser on one device: its pages share databases, channels and locks, and nothing else. */
export class Device {
  readonly pages = new Map<string, Page>()
  readonly channels: Channels
  readonly locks = new Locks()
  readonly #timeline: Timeline
  readonly #delayMs: () => number
  readonly #databases = new Map<string, Database>()
  isFull = false

  constructor(timeline: Timeline, random: Random, latencyMs: number) {
    this.#timeline = timeline
    this.#delayMs = () => random.below(latencyMs + 1)
    this.channels = new Channels(timeline, this.#delayMs)
  }

  /** Something that the browser does for a page, and tells it of after a while. */
  schedule(page: Page, run: () => void): void {
    this.#timeline.schedule(this.#delayMs(), page.life, run)
  }

  /** What pages hold. After the last one there must be nothing. */
  get holdings(): string[] {
    const handles = [...this.#databases].flatMap(([name, database]) =>
      [...database.handles].map(() => `database ${name}`),
    )
    const locks = this.locks.names.map((name) => `lock ${name}`)
    return [...handles, ...locks, ...this.channels.names.map((name) => `channel ${name}`)]
  }

  /** Databases in which changes are marked as unconfirmed. */
  get pendingDatabases(): string[] {
    return [...this.#databases]
      .filter(([, { stores }]) =>
        stores.get('custom')?.entries.some(({ key }) => Array.isArray(key) && key[1] === 'pending'),
      )
      .map(([name]) => name)
  }

  openDatabase(
    page: Page,
    name: string,
    handleOpened: (handle: Handle, isNew: boolean) => void,
  ): void {
    this.schedule(page, () => {
      const found = this.#databases.get(name)
      const database = found ?? new Database()
      this.#databases.set(name, database)
      handleOpened(new Handle(database, page), found === undefined)
    })
  }

  killDatabases(): void {
    for (const database of this.#databases.values()) database.kill()
  }

  handlePageGone(page: Page): void {
    this.pages.delete(page.key)
    this.channels.handlePageGone(page)
    this.locks.handlePageGone(page)
    for (const database of this.#databases.values()) database.handlePageGone(page)
  }
}
