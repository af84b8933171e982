import type { DocumentName } from '../../protocol/index.ts'
import type { DocumentState, DocumentStates } from './document-states.ts'
import type { LevelDatabase, WriteOperation } from './level-database.ts'

/** One write in the making: what it reads already shows what was decided before it in the same batch. */
export interface WriteStage {
  /** Throws what made the document unreadable. */
  read(name: DocumentName): DocumentState
  /** The state that holds once the batch is on disk. */
  stage(name: DocumentName, state: DocumentState): void
  add(operation: WriteOperation): void
}

interface Write {
  readonly names: readonly DocumentName[]
  /** Decides and stages. It throws before it stages anything, or not at all. */
  readonly prepare: (stage: WriteStage) => void
  readonly handleWritten: () => void
  readonly handleFailed: (error: unknown) => void
}

/**
 * The one way by which heads and document records change. One batch is on its way to the disk at a time; all that
 * arrive meanwhile go with the next one, in the order of their arrival.
 */
export class WriteQueue {
  readonly #database: LevelDatabase
  readonly #states: DocumentStates
  #waiting: Write[] = []
  #isRunning = false

  constructor(database: LevelDatabase, states: DocumentStates) {
    this.#database = database
    this.#states = states
  }

  /** Resolves with what `prepare` returned once its operations are on disk. `prepare` may read these names only. */
  run<Result>(
    names: readonly DocumentName[],
    prepare: (stage: WriteStage) => Result,
  ): Promise<Result> {
    return new Promise((resolve, reject) => {
      let result: Result
      this.#waiting.push({
        names,
        prepare: (stage) => (result = prepare(stage)),
        handleWritten: () => resolve(result),
        handleFailed: reject,
      })
      if (!this.#isRunning) void this.#writeAll()
    })
  }

  async #writeAll(): Promise<void> {
    this.#isRunning = true
    while (this.#waiting.length > 0) {
      const group = this.#waiting
      this.#waiting = []
      const names = new Set(group.flatMap((write) => write.names))
      this.#states.pin(names)
      try {
        await this.#writeGroup(group, names)
      } catch (error) {
        for (const write of group) write.handleFailed(error)
      } finally {
        this.#states.unpin(names)
      }
    }
    this.#isRunning = false
  }

  async #writeGroup(group: readonly Write[], names: ReadonlySet<DocumentName>): Promise<void> {
    await this.#database.ready()
    const era = this.#database.era
    const known = await this.#learn(names)
    const staged = new Map<DocumentName, DocumentState>()
    const operations: WriteOperation[] = []
    const stage: WriteStage = {
      read(name) {
        const state = staged.get(name) ?? known.get(name)
        if (state === undefined) throw new TypeError(`${name} was not announced to the write queue`)
        if ('error' in state) throw state.error
        return state
      },
      stage: (name, state) => void staged.set(name, state),
      add: (operation) => void operations.push(operation),
    }
    const prepared = group.filter((write) => {
      try {
        write.prepare(stage)
        return true
      } catch (error) {
        write.handleFailed(error)
        return false
      }
    })
    if (operations.length > 0) await this.#database.write(operations, era)
    for (const [name, state] of staged) this.#states.set(name, state)
    for (const write of prepared) write.handleWritten()
  }

  /** A document that cannot be read fails the writes to it, and no other. */
  async #learn(
    names: ReadonlySet<DocumentName>,
  ): Promise<ReadonlyMap<DocumentName, DocumentState | { readonly error: unknown }>> {
    const known = new Map<DocumentName, DocumentState | { readonly error: unknown }>()
    const unknown: Promise<void>[] = []
    for (const name of names) {
      const state = this.#states.peek(name)
      if (state !== undefined) known.set(name, state)
      else
        unknown.push(
          this.#states.get(name).then(
            (learnt) => void known.set(name, learnt),
            (error: unknown) => void known.set(name, { error }),
          ),
        )
    }
    await Promise.all(unknown)
    return known
  }
}
