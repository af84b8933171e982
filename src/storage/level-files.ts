import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'

/** What LevelDB leaves on disk, as far as it has to be looked at from outside. Never its LOCK file. */

/**
 * Whether LevelDB may create a database here. Where its CURRENT file is lost but rows are left, it would make a new,
 * empty database and remove the rows as leftovers.
 */
export function isNewDatabase(folder: string): boolean {
  if (!existsSync(folder)) return true
  const files = readdirSync(folder)
  return !files.includes('CURRENT') && !files.some((file) => /^\d+\.(?:log|ldb|sst)$/.test(file))
}

/** What LevelDB had to leave out when it was opened last, in its own words. It rejects nothing for that. */
export function readDroppedLines(folder: string): readonly string[] {
  try {
    const lines = readFileSync(join(folder, 'LOG'), 'utf8').split('\n')
    return lines.filter((line) => /dropping \d+ bytes|Ignoring error/.test(line))
  } catch {
    return []
  }
}

/** The size of LevelDB's own logs; 0 when nobody can tell. */
export function readLogBytes(folder: string): number {
  try {
    return readdirSync(folder)
      .filter((file) => /^\d+\.log$/.test(file))
      .reduce((bytes, file) => bytes + statSync(join(folder, file)).size, 0)
  } catch {
    return 0
  }
}

/** Replaces a file as a whole: after a crash it is the old one or the new one. `draft`: where it is written first. */
export function writeFileDurably(
  path: string,
  content: string | Uint8Array,
  draft = `${path}.new`,
): void {
  writeFileSync(draft, content)
  syncFile(draft)
  renameSync(draft, path)
  syncDirectory(dirname(path))
}

export function syncFile(path: string): void {
  const descriptor = openSync(path, 'r+')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** Makes the directory, and its entry in the directories above, survive a power cut. */
export function makeDirectory(directory: string): void {
  const firstMade = mkdirSync(directory, { recursive: true })
  if (firstMade === undefined) return
  for (let made = directory; ; made = dirname(made)) {
    syncDirectory(dirname(made))
    if (made === firstMade || made === dirname(made)) return
  }
}

export function syncDirectory(directory: string): void {
  try {
    const descriptor = openSync(directory, 'r')
    try {
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
  } catch {
    // Windows cannot open directories, some file systems cannot sync them; neither can do better.
  }
}
