import type { DocumentName } from '../../protocol/index.ts'
import { StorageError } from '../errors.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { DocumentState, DocumentStates } from './document-states.ts'
import type { LevelDatabase } from './level-database.ts'
import { reasonOf } from './level-error.ts'
import { stageRecord } from './level-append.ts'
import { nameOfKey, UNSWEPT_RANGE, unsweptKey } from './level-keys.ts'
import { lastReplaced } from './level-log.ts'
import { assertWhole } from './level-recovery.ts'
import { copySnapshot, seqForCopy } from './level-snapshot-copy.ts'
import { readManifest, unneededRows, writeSnapshot } from './level-snapshots.ts'
import { encodeBytes } from './records.ts'
import type { LevelTables } from './level-tables.ts'
import type { NewSnapshot } from './storage.ts'
import type { WriteQueue, WriteStage } from './write-queue.ts'

const EMPTY = new Uint8Array()

/**
 * What takes several writes: storing a snapshot and removing rows. Only one small write of each, that of the document
 * record, is ever visible. Before it a crash leaves rows that nothing refers to yet, after it rows that nothing refers
 * to any more; a mark beside the record, written first and removed last, has them swept at the next start.
 */
export class LevelMaintenance {
  readonly #database: LevelDatabase
  readonly #states: DocumentStates
  readonly #writes: WriteQueue
  readonly #tables: LevelTables
  readonly #logger: Logger
  /** One task at a time for each document. */
  readonly #tasks = new Map<DocumentName, Promise<unknown>>()
  /** Documents that may have rows to remove although nobody is at it. */
  readonly #unswept = new Set<DocumentName>()
  #isStopped = false

  constructor(
    database: LevelDatabase,
    states: DocumentStates,
    writes: WriteQueue,
    tables: LevelTables,
    logger: Logger,
  ) {
    this.#database = database
    this.#states = states
    this.#writes = writes
    this.#tables = tables
    this.#logger = logger
  }

  /** False: it is not newer than the stored one, or not of this log. */
  replacePrefix(
    name: DocumentName,
    isEpoch: (state: DocumentState) => boolean,
    snapshot: NewSnapshot,
  ): Promise<boolean> {
    const fits = (state: DocumentState): boolean =>
      isEpoch(state) &&
      snapshot.seq > Math.max(state.snapshotSeq, state.lostSeq) &&
      snapshot.seq <= state.seq
    return this.#enqueue(name, async () => {
      const before = await this.#states.get(name)
      if (!fits(before)) return false
      // Rows of an attempt that was cut short may lie where the new ones go.
      if (this.#unswept.has(name)) await this.#sweep(name, null)
      this.#unswept.add(name)
      const address = { name, generation: before.generation, seq: snapshot.seq }
      await writeSnapshot(this.#database, address, snapshot)
      const isReplaced = await this.#writes.run([name], (stage) => {
        const state = stage.read(name)
        if (!fits(state)) return false
        const next = { ...state, previousSeq: state.snapshotSeq, snapshotSeq: snapshot.seq }
        stageRecord(stage, name, next)
        return true
      })
      this.#sweepLater(name, before)
      return isReplaced
    })
  }

  /** Puts a copy of the newest snapshot in the place of the one before and the log between, where those take more. False: they do not. */
  condense(name: DocumentName, isEpoch: (state: DocumentState) => boolean): Promise<boolean> {
    return this.#enqueue(name, async () => {
      const before = await this.#states.get(name)
      const { generation, snapshotSeq } = before
      if (!isEpoch(before) || snapshotSeq === 0) return false
      await this.#database.ready()
      const newest = { name, generation, seq: snapshotSeq }
      const manifest = await readManifest(this.#database.level, newest)
      // Snapshots of the first releases do not tell the checksums of their chunks.
      if (manifest === null || manifest.chunkChecksums.length === 0) return false
      const seq = await seqForCopy(this.#database.level, name, before, manifest)
      // Whoever has read half of a lost snapshot must not read on in this one.
      if (seq === null || seq <= before.lostSeq) return false
      // Rows of an attempt that was cut short may lie where the new ones go.
      if (this.#unswept.has(name)) await this.#sweep(name, null)
      this.#unswept.add(name)
      await copySnapshot(this.#database, newest, manifest, seq)
      const isCondensed = await this.#writes.run([name], (stage) => {
        const state = stage.read(name)
        if (state.generation !== generation || state.snapshotSeq !== snapshotSeq) return false
        stageRecord(stage, name, { ...state, previousSeq: seq })
        return true
      })
      this.#sweepLater(name, before)
      return isCondensed
    })
  }

  /**
   * The newest snapshot was found damaged: goes back to the one before, whose log was kept for this, or to the log alone where it
   * is the first. Rejects with the damage when that is not whole either, or with what keeps it from being read.
   */
  recover(name: DocumentName, generation: number, lostSeq: number, damage: unknown): Promise<void> {
    return this.#enqueue(name, async () => {
      const before = await this.#states.get(name)
      // Somebody else has done it, or the snapshot was replaced, or the document deleted.
      if (before.generation !== generation || before.snapshotSeq !== lostSeq) return
      const seq = before.previousSeq
      if (seq >= lostSeq) throw damage
      const next = { ...before, snapshotSeq: seq, lostSeq }
      await assertWhole(this.#database, name, next, damage)
      this.#unswept.add(name)
      const isRecovered = await this.#writes.run([name], (stage) => {
        const state = stage.read(name)
        if (state.generation !== generation || state.snapshotSeq !== lostSeq) return false
        const mark = unsweptKey(name)
        stage.add({ type: 'put', key: mark, value: encodeBytes(mark, EMPTY) })
        stageRecord(stage, name, { ...state, snapshotSeq: seq, lostSeq })
        return true
      })
      this.#sweepLater(name, null)
      if (isRecovered)
        this.#logger.error(
          'a snapshot is damaged; the document was recovered from what came before',
          {
            document: name,
            snapshot: lostSeq,
            recoveredFrom: seq === 0 ? 'the log alone' : `snapshot ${seq}`,
            error: reasonOf(damage),
          },
        )
    })
  }

  /** Has the records of all documents in memory tell how far their logs reach. */
  async recordHeads(): Promise<void> {
    const behind = this.#states.entries().filter(([, { seq, recordedSeq }]) => seq > recordedSeq)
    const names = behind.map(([name]) => name as DocumentName)
    if (names.length === 0) return
    await this.#writes.run(names, (stage) => {
      for (const name of names) stageRecord(stage, name, stage.read(name))
    })
  }

  /** The new generation. */
  async delete(name: DocumentName): Promise<number> {
    const generation = await this.#writes.run([name], (stage) => {
      const next = {
        generation: nextGeneration(stage, name),
        isWritten: false,
        snapshotSeq: 0,
        previousSeq: 0,
        seq: 0,
        recordedSeq: 0,
        lostSeq: 0,
      }
      const mark = unsweptKey(name)
      stage.add({ type: 'put', key: mark, value: encodeBytes(mark, EMPTY) })
      stageRecord(stage, name, next)
      return next.generation
    })
    this.#unswept.add(name)
    this.#sweepLater(name, null)
    return generation
  }

  /** Finishes, in the background, what an earlier process has begun. No snapshot may be stored before it resolves. */
  async sweepLeftovers(): Promise<void> {
    const marks = await this.#database.level.keys(UNSWEPT_RANGE).all()
    for (const mark of marks) {
      const name = nameOfKey(mark) as DocumentName
      this.#unswept.add(name)
      this.#sweepLater(name, null)
    }
  }

  /** Sweeping ends at the next row range; the marks stay for the next start. */
  stop(): void {
    this.#isStopped = true
  }

  async whenIdle(): Promise<void> {
    while (this.#tasks.size > 0) await Promise.allSettled(this.#tasks.values())
  }

  #sweepLater(name: DocumentName, lastSwept: DocumentState | null): void {
    this.#enqueue(name, () => this.#sweep(name, lastSwept)).catch((error: unknown) =>
      this.#logger.warn('replaced rows could not be removed; the next start tries again', {
        document: name,
        error: reasonOf(error),
      }),
    )
  }

  /** `lastSwept`: a state of the document for which everything was removed; what it did not need is not looked for. */
  async #sweep(name: DocumentName, lastSwept: DocumentState | null): Promise<void> {
    if (!this.#unswept.has(name)) return
    const before = await this.#states.get(name)
    const cleanUpTo = lastSwept?.generation === before.generation ? lastSwept.previousSeq : 0
    const replacedUpTo = await lastReplaced(this.#database.level, name, before)
    let removedBytes = 0
    for (const range of unneededRows(name, before, cleanUpTo, replacedUpTo)) {
      if (this.#isStopped) return
      removedBytes += await this.#database.tableBytes(range)
      await this.#database.clear(range)
    }
    await this.#writes.run([name], (stage) => {
      const state = stage.read(name)
      // Deleted meanwhile: the mark is that deletion's now.
      if (state.generation !== before.generation) return
      stage.add({ type: 'del', key: unsweptKey(name) })
      this.#unswept.delete(name)
    })
    if (lastSwept === null || before.previousSeq > cleanUpTo) this.#tables.consider(removedBytes)
  }

  #enqueue<Result>(name: DocumentName, task: () => Promise<Result>): Promise<Result> {
    const before = this.#tasks.get(name) ?? Promise.resolve()
    const running = before.then(task, task)
    this.#tasks.set(name, running)
    const forget = (): void => {
      if (this.#tasks.get(name) === running) this.#tasks.delete(name)
    }
    running.then(forget, forget)
    return running
  }
}

/**
 * At least the seconds since 1970, and more than before: a document that is deleted, restored from a backup and deleted again begins
 * another history each time, and no client takes one for the other.
 */
function nextGeneration(stage: WriteStage, name: DocumentName): number {
  const seconds = Math.floor(Date.now() / 1000)
  try {
    return Math.max(stage.read(name).generation + 1, seconds)
  } catch (error) {
    // A damaged document can still be deleted. Its generation is lost perhaps, and not after this second.
    if (error instanceof StorageError && error.code === 'record-damaged') return seconds + 1
    throw error
  }
}
