import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { writeFileDurably } from './level-files.ts'

/**
 * How an orderly close left the files. The end of a log that is cut off looks like one that a crash has torn; only whoever closed it
 * can tell. LevelDB writes a new manifest whenever it is opened, so a seal for another manifest than the current one says nothing.
 */
const SEAL_FILE = 'CLOSED'

interface Seal {
  readonly manifest: string
  /** CRC-32 by name, of the logs and the manifest. */
  readonly checksums: Readonly<Record<string, number>>
}

/** To be called when LevelDB has closed. A failure leaves no seal, or a worthless one, and harms nobody. */
export function sealFiles(folder: string): void {
  const manifest = readFileSync(join(folder, 'CURRENT'), 'utf8').trimEnd()
  const checksums: Record<string, number> = {}
  for (const file of readdirSync(folder)) {
    if (file !== manifest && !/^\d+\.log$/.test(file)) continue
    const path = join(folder, file)
    // Without strict durability the log may be in memory only; a power cut must not make the seal wrong.
    const descriptor = openSync(path, 'r+')
    try {
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    checksums[file] = crc32(readFileSync(path))
  }
  writeFileSync(join(folder, SEAL_FILE), JSON.stringify({ manifest, checksums } satisfies Seal))
}

/**
 * CURRENT holds nothing but the name of the manifest. Where it is lost after an orderly close the seal has that name, too: while its files
 * are as they were left, LevelDB has not been opened since. Answers a sentence when it was written anew, else null.
 */
export async function restoreCurrent(folder: string): Promise<string | null> {
  const path = join(folder, 'CURRENT')
  const seal = await readSeal(folder)
  if (seal === null) return null
  const current = await readFile(path, 'utf8').catch(() => '')
  if (current === `${seal.manifest}\n`) return null
  // It names another: LevelDB was opened since the seal was made.
  const named = current.trimEnd()
  if (named !== seal.manifest && named.startsWith('MANIFEST') && existsSync(join(folder, named)))
    return null
  if ((await sealFault(folder, seal.manifest)) !== null) return null
  writeFileDurably(path, `${seal.manifest}\n`, `${path}.dbtmp`)
  return `CURRENT was lost, and written anew to name ${seal.manifest}`
}

/** What is not as it was left, in one sentence, or null. */
export async function sealFault(folder: string, manifest: string): Promise<string | null> {
  const seal = await readSeal(folder)
  if (seal === null || seal.manifest !== manifest) return null
  for (const [file, checksum] of Object.entries(seal.checksums)) {
    const path = join(folder, file)
    const bytes = await readFile(path).catch(() => null)
    if (bytes === null) return `${file} is missing`
    if (crc32(bytes) !== checksum)
      return `${file} is not as it was closed (${(await stat(path)).size} bytes now)`
  }
  return null
}

function readSeal(folder: string): Promise<Seal | null> {
  return readFile(join(folder, SEAL_FILE), 'utf8').then(parseSeal, () => null)
}

/** Null: torn or damaged, and then it tells nothing. */
function parseSeal(text: string): Seal | null {
  try {
    const seal = JSON.parse(text) as Partial<Seal> | null
    return typeof seal?.manifest === 'string' && typeof seal.checksums === 'object'
      ? { manifest: seal.manifest, checksums: { ...seal.checksums } }
      : null
  } catch {
    return null
  }
}
