import { copyFileSync, existsSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { DamageRecord } from './damage-record.ts'
import { type KeySpan, spanHolds } from './key-span.ts'
import type { DamagedTable } from './level-check.ts'
import { reasonOf } from './level-error.ts'
import { makeDirectory, syncDirectory, syncFile, writeFileDurably } from './level-files.ts'
import { FORMAT_COPY_KEY, FORMAT_KEY } from './level-keys.ts'
import { salvageTable, type SalvagedTable } from './level-table-salvage.ts'

/** Where damaged files are kept, below the data directory. */
const KEPT_FOLDER = 'damaged'

/** What would be lost with these tables, and whether the rest can be opened without them. */
export interface LossOfTables {
  readonly lost: readonly KeySpan[]
  /** Those in whose place something can be put that LevelDB reads. */
  readonly salvageable: readonly DamagedTable[]
  /** Why these tables keep the database from being opened: one sentence each. */
  readonly faults: readonly string[]
}

/** Changes nothing. */
export function estimateLoss(folder: string, tables: readonly DamagedTable[]): LossOfTables {
  const lost: KeySpan[] = []
  const faults: string[] = []
  const salvageable: DamagedTable[] = []
  for (const damaged of tables) {
    try {
      const salvaged = salvage(folder, damaged)
      if (salvaged === null) {
        faults.push(`${damaged.file} cannot be put together again`)
        continue
      }
      salvageable.push(damaged)
      lost.push(...salvaged.lost)
    } catch (error) {
      faults.push(`${damaged.file} cannot be read (${reasonOf(error)})`)
    }
  }
  const isLost = (key: Uint8Array): boolean => lost.some((span) => spanHolds(span, key))
  if (isLost(FORMAT_KEY) && isLost(FORMAT_COPY_KEY))
    faults.push('what names the database is lost with them')
  return { lost, salvageable, faults }
}

/**
 * Keeps the damaged tables elsewhere and puts what can be read of each in its place. It may end at any moment: then the next start finds
 * the rest of the damage again, and what the record says of it already.
 */
export function setAside(
  directory: string,
  folder: string,
  tables: readonly DamagedTable[],
  lost: readonly KeySpan[],
  record: DamageRecord,
): void {
  const at = new Date().toISOString()
  const kept = tables
    .filter(({ file }) => existsSync(join(folder, file)))
    .map(({ file }) => ({ file, path: join(KEPT_FOLDER, `${at.replaceAll(':', '-')} ${file}`) }))
  if (kept.length > 0) makeDirectory(join(directory, KEPT_FOLDER))
  for (const { file, path } of kept) {
    copyFileSync(join(folder, file), join(directory, path))
    syncFile(join(directory, path))
  }
  syncDirectory(join(directory, KEPT_FOLDER))
  record.add(
    { at, faults: tables.map(({ fault }) => fault), setAside: kept.map(({ path }) => path) },
    lost,
  )
  for (const damaged of tables) replace(folder, damaged)
}

function replace(folder: string, damaged: DamagedTable): void {
  const salvaged = salvage(folder, damaged)
  if (salvaged === null) throw new Error(`${damaged.file} changed while it was set aside`)
  // LevelDB removes such a file when it finds one that a crash has left.
  const draft = join(folder, `${basename(damaged.file, '.ldb')}.dbtmp`)
  writeFileDurably(join(folder, damaged.file), salvaged.content, draft)
}

function salvage(folder: string, { file, table }: DamagedTable): SalvagedTable | null {
  const path = join(folder, file)
  return salvageTable(existsSync(path) ? readFileSync(path) : null, table)
}
