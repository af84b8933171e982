import { randomUUID } from 'node:crypto'
import { linkSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { StorageError } from '../errors.ts'
import { currentOwner, type LockOwner, ownerState, parseOwner } from './lock-owner.ts'

/**
 * LevelDB's own lock is not enough. It is a POSIX lock, which the kernel drops when the process closes *any*
 * descriptor of the file, and LevelDB opens and closes it in a second `open` that it then refuses: from
 * then on another process can open the directory too, and writes are lost without an error. So nobody
 * may come as far as LevelDB a second time: not in this thread (the registry), not in another thread,
 * copy of this package or process (the lock file). LevelDB's lock stays the last barrier, for owners
 * that cannot be looked up from here.
 */
export interface DirectoryLock {
  /** The owner whose stale lock was taken over, for the log. */
  readonly takenOverFrom: LockOwner | null
  release(): void
}

const LOCK_FILE = 'lock'

// Two copies of this package in one process share the symbol, and so the registry.
const REGISTRY = Symbol.for('y-rooms.storage.directories')

/** Takes the directory, which must exist, or throws `storage-locked`. Synchronous: two calls cannot interleave. */
export function lockDirectory(directory: string): DirectoryLock {
  const path = realpathSync(directory)
  const registry = openDirectories()
  if (registry.has(path)) throw locked(path, `this process (pid ${process.pid})`)
  const file = join(path, LOCK_FILE)
  const owner = currentOwner(randomUUID())
  const takenOverFrom = takeFile(path, file, owner)
  registry.add(path)
  let isReleased = false
  return {
    takenOverFrom,
    release() {
      if (isReleased) return
      isReleased = true
      registry.delete(path)
      if (readOwner(file)?.token === owner.token) rmSync(file, { force: true })
    },
  }
}

export function locked(directory: string, holder: string, cause?: unknown): StorageError {
  return new StorageError(
    'storage-locked',
    `The directory ${directory} is already open in ${holder}: only one storage at a time can use it.`,
    cause === undefined ? undefined : { cause },
  )
}

/** Writes our lock file. Returns the owner of the stale one that was in the way, if there was one. */
function takeFile(path: string, file: string, owner: LockOwner): LockOwner | null {
  let stale: LockOwner | null = null
  // Another process may take the same stale lock at the same moment; who loses looks again, and finds the winner's.
  for (let attempt = 0; attempt < 10; attempt++) {
    if (createFile(file, owner)) return stale
    const found = readOwner(file)
    if (found === undefined) continue
    if (found !== null && ownerState(found) === 'alive') throw locked(path, describe(found))
    if (setAside(file, found)) stale = found
  }
  throw locked(path, 'another process that keeps taking its lock')
}

function createFile(file: string, owner: LockOwner): boolean {
  try {
    writeFileSync(file, `${JSON.stringify(owner)}\n`, { flag: 'wx' })
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

/** Undefined: there is no lock file. Null: it cannot be understood. */
function readOwner(file: string): LockOwner | null | undefined {
  try {
    return parseOwner(readFileSync(file, 'utf8'))
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/**
 * Removes the stale lock. Between reading and removing it another process may have put its own there, so it
 * is moved first, looked at again, and put back when it is not the one that was found stale.
 */
function setAside(file: string, stale: LockOwner | null): boolean {
  const aside = `${file}.${randomUUID()}`
  try {
    renameSync(file, aside)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw error
  }
  const isTheStaleOne = readOwner(aside)?.token === stale?.token
  if (!isTheStaleOne) linkSync(aside, file)
  rmSync(aside)
  return isTheStaleOne
}

function describe(owner: LockOwner): string {
  return owner.pid === process.pid
    ? `this process (pid ${owner.pid})`
    : `process ${owner.pid} on ${owner.host}`
}

function openDirectories(): Set<string> {
  const shared = globalThis as { [REGISTRY]?: Set<string> }
  return (shared[REGISTRY] ??= new Set())
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code
}
