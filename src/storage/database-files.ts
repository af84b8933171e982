import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { Level } from 'level'
import { StorageError } from '../errors.ts'
import { type ChunkCodec, threadPoolCodec } from './chunk-records.ts'
import { type DirectoryLock, lockDirectory } from './directory-lock.ts'
import { DamageRecord } from './damage-record.ts'
import { checkFiles } from './level-check.ts'
import { isNewDatabase, makeDirectory, readDroppedLines, readLogBytes } from './level-files.ts'
import { restoreCurrent, sealFiles } from './level-seal.ts'
import { estimateLoss, setAside } from './level-set-aside.ts'

/** With what only LevelDB itself can do, which `level` has in Node.js but declares for no platform. */
export interface OpenLevel extends Level<Uint8Array, Uint8Array> {
  approximateSize(start: Uint8Array, end: Uint8Array): Promise<number>
  compactRange(start: Uint8Array, end: Uint8Array): Promise<void>
}

/** For reading what need not stay in LevelDB's cache of blocks; iterators leave nothing there anyway. `level` declares this for no platform either. */
export const UNCACHED: object = { fillCache: false }

export interface OpenRequest {
  readonly createIfMissing: boolean
  readonly writeBufferBytes: number
  readonly cacheBytes: number
}

/** The disk below the storage. A simulation puts one in its place that fails when it is told to. */
export interface DatabaseFiles {
  readonly directory: string
  readonly codec: ChunkCodec
  /** Makes the directory if need be and takes it for this process, or throws. */
  lock(): DirectoryLock
  /** Whether a database may be created. */
  isNew(): boolean
  open(request: OpenRequest): Promise<OpenLevel>
  /** What `open` found damaged and set aside, now or earlier. Default: nothing. */
  damage?(): DamageRecord
  /** About how many bytes LevelDB has in its log, and not yet in a table. */
  logBytes(): number
  /** What LevelDB had to leave out when it was opened last, in its own words. */
  droppedLines(): readonly string[]
}

/** LevelDB inside the directory, in a folder of its own so that our lock file is none of its files. */
export const LEVEL_FOLDER = 'log'

/** Beside it, which documents are refused because of damage that was set aside. */
const DAMAGE_FILE = 'damage.json'

/**
 * Damaged tables are set aside before LevelDB opens the rest, and recorded. Where it cannot be told which documents are concerned, `open`
 * rejects; with `acceptLoss` (a message for each fault) it opens what is left, and no document is refused for what it may have lost.
 */
export function filesIn(
  directory: string,
  acceptLoss: ((fault: string) => void) | null = null,
): DatabaseFiles {
  const folder = join(directory, LEVEL_FOLDER)
  const damageFile = join(directory, DAMAGE_FILE)
  let damage: DamageRecord | null = null
  let isChecked = false
  let lastOpened: OpenLevel | null = null
  const check = async (): Promise<void> => {
    const restored = await restoreCurrent(folder)
    const { faults, damagedTables } = await checkFiles(folder)
    const loss = estimateLoss(folder, damagedTables)
    const all = [...faults, ...damagedTables.map(({ fault }) => fault), ...loss.faults]
    if (acceptLoss === null && faults.length + loss.faults.length > 0)
      throw new StorageError(
        'storage-inaccessible',
        `The database in ${directory} is damaged: ${all.join(', ')}. Restore a backup, or accept the loss of what cannot be read (acceptLoss).`,
      )
    if (acceptLoss !== null) rmSync(damageFile, { force: true })
    damage = new DamageRecord(damageFile)
    if (restored !== null)
      damage.add({ at: new Date().toISOString(), faults: [restored], setAside: [] }, [])
    if (loss.salvageable.length > 0)
      setAside(directory, folder, loss.salvageable, loss.lost, damage)
    for (const fault of all) acceptLoss?.(fault)
    if (acceptLoss !== null) damage.clear()
    isChecked = true
  }
  return {
    directory,
    codec: threadPoolCodec,
    lock() {
      makeDirectory(directory)
      const lock = lockDirectory(directory)
      const release = (): void => {
        try {
          if (lastOpened?.status === 'closed') sealFiles(folder)
        } catch {
          // Without a seal the next start checks less.
        } finally {
          lock.release()
        }
      }
      return { takenOverFrom: lock.takenOverFrom, release }
    },
    isNew: () => isNewDatabase(folder),
    async open({ createIfMissing, writeBufferBytes, cacheBytes }) {
      // Before a Level is made, which begins to open by itself. Once: a failed write may tear the log, and opening anew cuts that off.
      if (!isChecked) await check()
      const level = new Level<Uint8Array, Uint8Array>(folder, {
        keyEncoding: 'view',
        valueEncoding: 'view',
        createIfMissing,
        // A second handle in this process would otherwise release LevelDB's own lock.
        multithreading: true,
        writeBufferSize: writeBufferBytes,
        cacheSize: cacheBytes,
      }) as OpenLevel
      await level.open()
      lastOpened = level
      return level
    },
    damage: () => (damage ??= new DamageRecord(damageFile)),
    logBytes: () => readLogBytes(folder),
    droppedLines: () => readDroppedLines(folder),
  }
}
