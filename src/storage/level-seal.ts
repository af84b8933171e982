import { closeSync, fsyncSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'

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

/** What is not as it was left, in one sentence, or null. */
export async function sealFault(folder: string, manifest: string): Promise<string | null> {
  const seal = await readFile(join(folder, SEAL_FILE), 'utf8').then(parseSeal, () => null)
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
