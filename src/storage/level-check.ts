import { open, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ByteCursor } from './byte-cursor.ts'
import { isNewDatabase } from './level-files.ts'
import { readLogFile } from './level-log-file.ts'
import { sealFault } from './level-seal.ts'
import { readTable, type SuspectRange } from './level-table-file.ts'

/** What the files of a LevelDB say about themselves, before LevelDB opens them: it overlooks most of it. */
export interface FileCheck {
  /** What is lost or unreadable, one sentence each. */
  readonly faults: readonly string[]
  /** Rows in these ranges may be unreadable, without anybody being told. */
  readonly suspects: readonly SuspectRange[]
}

/**
 * How much of the tables is read through, the newest first; of the others only what finds the rows in them. Every record
 * that is read later has a checksum of its own.
 */
const READ_THROUGH_BYTES = 256 * 1024 * 1024

/** Of a new database. */
const NOTHING: FileCheck = { faults: [], suspects: [] }

export async function checkFiles(folder: string): Promise<FileCheck> {
  const files = new Set(await readdir(folder).catch(() => []))
  if (!files.has('CURRENT'))
    return isNewDatabase(folder) ? NOTHING : { faults: ['CURRENT is missing'], suspects: [] }
  const manifest = (await readFile(join(folder, 'CURRENT'), 'utf8')).trimEnd()
  if (!files.has(manifest))
    return {
      faults: [`CURRENT names ${JSON.stringify(manifest)}, which is not there`],
      suspects: [],
    }
  const { records, damagedAt } = readLogFile(await readFile(join(folder, manifest)))
  const sealed = await sealFault(folder, manifest)
  if (sealed !== null) return { faults: [sealed], suspects: [] }
  if (damagedAt !== null)
    return { faults: [`${manifest} is damaged at byte ${damagedAt}`], suspects: [] }
  const version = readVersion(records)
  if (version === null) return { faults: [`${manifest} cannot be read`], suspects: [] }
  const logs = await checkLogs(folder, files, version.logNumber)
  const tables = await checkTables(folder, files, version.tables)
  return { faults: [...logs, ...tables.faults], suspects: tables.suspects }
}

async function checkLogs(
  folder: string,
  files: ReadonlySet<string>,
  firstLog: number,
): Promise<readonly string[]> {
  const faults: string[] = []
  // LevelDB reads the logs that are there. It deletes one only after the manifest names a later one: a manifest
  // that names one which is not there has lost its end, or the log itself is lost.
  const expected = fileName(firstLog, 'log')
  if (firstLog > 0 && !files.has(expected)) faults.push(`${expected} is missing`)
  for (const file of files) {
    const number = /^(\d+)\.log$/.exec(file)?.[1]
    if (number === undefined || Number(number) < firstLog) continue
    const { damagedAt } = readLogFile(await readFile(join(folder, file)))
    if (damagedAt !== null) faults.push(`${file} is damaged at byte ${damagedAt}`)
  }
  return faults
}

async function checkTables(
  folder: string,
  files: ReadonlySet<string>,
  tables: ReadonlyMap<number, number>,
): Promise<FileCheck> {
  const faults: string[] = []
  const suspects: SuspectRange[] = []
  let budget = READ_THROUGH_BYTES
  for (const [number, bytes] of [...tables].sort(([one], [other]) => other - one)) {
    const name = [fileName(number, 'ldb'), fileName(number, 'sst')].find((file) => files.has(file))
    if (name === undefined) {
      faults.push(`${fileName(number, 'ldb')} is missing`)
      continue
    }
    budget -= bytes
    const file = await open(join(folder, name), 'r')
    try {
      const found = await readTable(file, bytes, budget >= 0)
      suspects.push(...found)
      // LevelDB would read it as if it were whole: rows vanish without a word, or the process ends (SIGABRT was seen).
      for (const { after, upTo } of found)
        faults.push(
          `${name} has a damaged block (rows of ${nameInKey(after)} to ${nameInKey(upTo)})`,
        )
    } catch (error) {
      faults.push(`${name} ${error instanceof Error ? error.message : String(error)}`)
    } finally {
      await file.close()
    }
  }
  return { faults, suspects }
}

interface Version {
  readonly logNumber: number
  /** Length in bytes by number. */
  readonly tables: ReadonlyMap<number, number>
}

/** The tags of LevelDB's manifest (db/version_edit.cc). */
const COMPARATOR = 1
const LOG_NUMBER = 2
const COMPACT_POINTER = 5
const DELETED_FILE = 6
const NEW_FILE = 7

/** Null: it is not as LevelDB writes it. */
function readVersion(records: readonly Buffer[]): Version | null {
  let logNumber = 0
  const tables = new Map<number, number>()
  try {
    for (const record of records) {
      const cursor = new ByteCursor(record)
      while (!cursor.isAtEnd)
        switch (cursor.varint()) {
          case COMPARATOR:
            skipString(cursor)
            break
          case LOG_NUMBER:
            logNumber = cursor.varint()
            break
          case COMPACT_POINTER:
            cursor.varint()
            skipString(cursor)
            break
          case DELETED_FILE:
            cursor.varint()
            tables.delete(cursor.varint())
            break
          case NEW_FILE:
            cursor.varint()
            tables.set(cursor.varint(), cursor.varint())
            skipString(cursor)
            skipString(cursor)
            break
          default:
            // The others are one number each.
            cursor.varint()
        }
    }
    return { logNumber, tables }
  } catch {
    return null
  }
}

/** For the operator: which document a key is of, as far as a damaged one can tell. */
function nameInKey(key: Buffer | null): string {
  if (key === null) return 'the first'
  const end = key.indexOf(0, 1)
  return JSON.stringify(key.toString('utf8', 1, end < 0 ? key.length : end))
}

function skipString(cursor: ByteCursor): void {
  cursor.bytes(cursor.varint())
}

function fileName(number: number, extension: string): string {
  return `${String(number).padStart(6, '0')}.${extension}`
}
