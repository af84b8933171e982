import { open, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { reasonOf } from './level-error.ts'
import { isNewDatabase } from './level-files.ts'
import { readLogFile } from './level-log-file.ts'
import { fileName, readVersion, type Table, type Version } from './level-manifest.ts'
import { sealFault } from './level-seal.ts'
import { tableFault } from './level-table-file.ts'

/** What the files of a LevelDB say about themselves, before LevelDB opens them: it overlooks most of it. */
export interface FileCheck {
  /** What is lost or unreadable and can concern any document, one sentence each. */
  readonly faults: readonly string[]
  /** Of these the manifest tells which keys they can concern. */
  readonly damagedTables: readonly DamagedTable[]
}

export interface DamagedTable {
  readonly table: Table
  /** Its name, also when it is not there. */
  readonly file: string
  /** One sentence. */
  readonly fault: string
}

/**
 * How much of the tables is read through, the newest first; of the others only what finds the rows in them. Every record
 * that is read later has a checksum of its own.
 */
const READ_THROUGH_BYTES = 256 * 1024 * 1024

/** Of a new database. */
const NOTHING: FileCheck = { faults: [], damagedTables: [] }

export async function checkFiles(folder: string): Promise<FileCheck> {
  const files = new Set(await readdir(folder).catch(() => []))
  if (!files.has('CURRENT')) return isNewDatabase(folder) ? NOTHING : refused('CURRENT is missing')
  const manifest = (await readFile(join(folder, 'CURRENT'), 'utf8')).trimEnd()
  if (!files.has(manifest))
    return refused(`CURRENT names ${JSON.stringify(manifest)}, which is not there`)
  const { records, damagedAt } = readLogFile(await readFile(join(folder, manifest)))
  const sealed = await sealFault(folder, manifest)
  if (sealed !== null) return refused(sealed)
  if (damagedAt !== null) return refused(`${manifest} is damaged at byte ${damagedAt}`)
  const version = readVersion(records)
  if (version === null) return refused(`${manifest} cannot be read`)
  const logs = await checkLogs(folder, files, version.logNumber)
  const { faults, damagedTables } = await checkTables(folder, files, version)
  return { faults: [...logs, ...faults], damagedTables }
}

function refused(fault: string): FileCheck {
  return { faults: [fault], damagedTables: [] }
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
  { tables }: Version,
): Promise<FileCheck> {
  const faults: string[] = []
  const damagedTables: DamagedTable[] = []
  let budget = READ_THROUGH_BYTES
  for (const table of [...tables.values()].sort((one, other) => other.number - one.number)) {
    const names = [fileName(table.number, 'ldb'), fileName(table.number, 'sst')] as const
    const file = names.find((name) => files.has(name))
    budget -= table.bytes
    const fault = file === undefined ? 'is missing' : await faultIn(join(folder, file))
    if (fault !== null)
      damagedTables.push({ table, file: file ?? names[0], fault: `${file ?? names[0]} ${fault}` })

    async function faultIn(path: string): Promise<string | null> {
      const handle = await open(path, 'r')
      try {
        return await tableFault(handle, table, budget >= 0)
      } catch (error) {
        // A disk that does not give the bytes: another start, or another disk with a copy, may have them.
        faults.push(`${path} cannot be read (${reasonOf(error)})`)
        return null
      } finally {
        await handle.close()
      }
    }
  }
  return { faults, damagedTables }
}
