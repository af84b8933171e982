import { join } from 'node:path'
import { Level } from 'level'
import { StorageError } from '../errors.ts'
import { type ChunkCodec, threadPoolCodec } from './chunk-records.ts'
import { type DirectoryLock, lockDirectory } from './directory-lock.ts'
import { checkFiles } from './level-check.ts'
import { isNewDatabase, makeDirectory, readDroppedLines, readLogBytes } from './level-files.ts'
import { sealFiles } from './level-seal.ts'
import type { SuspectRange } from './level-table-file.ts'

/** With what only LevelDB itself can do, which `level` has in Node.js but declares for no platform. */
export interface OpenLevel extends Level<Uint8Array, Uint8Array> {
  approximateSize(start: Uint8Array, end: Uint8Array): Promise<number>
  compactRange(start: Uint8Array, end: Uint8Array): Promise<void>
}

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
  /** Ranges of keys in which rows may have become unreadable, as far as `open` could tell. Default: none. */
  suspects?(): readonly SuspectRange[]
  /** About how many bytes LevelDB has in its log, and not yet in a table. */
  logBytes(): number
  /** What LevelDB had to leave out when it was opened last, in its own words. */
  droppedLines(): readonly string[]
}

/** LevelDB inside the directory, in a folder of its own so that our lock file is none of its files. */
export const LEVEL_FOLDER = 'log'

/**
 * With `acceptLoss` (a message for each fault) files that are damaged beyond what the records can tell are opened all the same;
 * without it `open` rejects.
 */
export function filesIn(
  directory: string,
  acceptLoss: ((fault: string) => void) | null = null,
): DatabaseFiles {
  const folder = join(directory, LEVEL_FOLDER)
  let suspects: readonly SuspectRange[] = []
  let isChecked = false
  let lastOpened: OpenLevel | null = null
  const check = async (): Promise<void> => {
    const found = await checkFiles(folder)
    suspects = found.suspects
    const [first] = found.faults
    if (first !== undefined && acceptLoss === null)
      throw new StorageError(
        'storage-inaccessible',
        `The database in ${directory} is damaged: ${found.faults.join(', ')}. Restore a backup, or accept the loss of what cannot be read (acceptLoss).`,
      )
    for (const fault of found.faults) acceptLoss?.(fault)
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
    suspects: () => suspects,
    logBytes: () => readLogBytes(folder),
    droppedLines: () => readDroppedLines(folder),
  }
}
