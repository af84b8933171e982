import { join } from 'node:path'
import { Level } from 'level'
import { type DirectoryLock, lockDirectory } from './directory-lock.ts'
import { isNewDatabase, makeDirectory, readDroppedLines } from './level-files.ts'

export type OpenLevel = Level<Uint8Array, Uint8Array>

export interface OpenRequest {
  readonly createIfMissing: boolean
  readonly writeBufferBytes: number
  readonly cacheBytes: number
}

/** The disk below the storage. A simulation puts one in its place that fails when it is told to. */
export interface DatabaseFiles {
  readonly directory: string
  /** Makes the directory if need be and takes it for this process, or throws. */
  lock(): DirectoryLock
  /** Whether a database may be created. */
  isNew(): boolean
  open(request: OpenRequest): Promise<OpenLevel>
  /** What LevelDB had to leave out when it was opened last, in its own words. */
  droppedLines(): readonly string[]
}

/** LevelDB inside the directory, in a folder of its own so that our lock file is none of its files. */
export const LEVEL_FOLDER = 'log'

export function filesIn(directory: string): DatabaseFiles {
  const folder = join(directory, LEVEL_FOLDER)
  return {
    directory,
    lock() {
      makeDirectory(directory)
      return lockDirectory(directory)
    },
    isNew: () => isNewDatabase(folder),
    async open({ createIfMissing, writeBufferBytes, cacheBytes }) {
      const level: OpenLevel = new Level<Uint8Array, Uint8Array>(folder, {
        keyEncoding: 'view',
        valueEncoding: 'view',
        createIfMissing,
        // A second handle in this process would otherwise release LevelDB's own lock.
        multithreading: true,
        writeBufferSize: writeBufferBytes,
        cacheSize: cacheBytes,
      })
      await level.open()
      return level
    },
    droppedLines: () => readDroppedLines(folder),
  }
}
