import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { makeTempDirectory, removeDirectory } from '../support/temp-directory.ts'

const FAULTS = Number(process.env['DISK_FAULTS'] ?? 40)
const SEED = Number(process.env['DISK_FAULT_SEED'] ?? Date.now() % 2 ** 31)
const CHILD = fileURLToPath(new URL('../fixtures/disk-fault-child.mjs', import.meta.url))

/** A database of twelve documents in several tables and a log, as an orderly close and as a kill leaves it. */
let closed: string
let killed: string

beforeAll(async () => {
  closed = await filled('close')
  killed = await filled('kill')
  return async () => {
    await removeDirectory(closed)
    await removeDirectory(killed)
  }
})

describe('T10 T11 [ST15] files that are broken', () => {
  test('are none here: both databases are whole', async () => {
    for (const directory of [closed, killed]) {
      const { found, errors } = await looked(directory, async () => undefined)
      expect([...new Set(Object.values(found ?? {}))]).toEqual(['whole'])
      expect(errors).toEqual([])
    }
    const files = await readdir(join(closed, 'log'))
    expect(files.filter((file) => file.endsWith('.ldb')).length).toBeGreaterThan(2)
  })

  test.each([
    ['CURRENT', 'removed', 'CURRENT is missing'],
    ['CURRENT', 'emptied', ''],
    ['CURRENT', 'garbage', 'which is not there'],
    ['MANIFEST', 'removed', 'which is not there'],
    ['MANIFEST', 'emptied', ''],
    ['MANIFEST', 'halved', ''],
    ['.log', 'removed', '.log is missing'],
    ['.ldb', 'removed', '.ldb is missing'],
    ['.ldb', 'emptied', 'bytes instead of'],
    ['.ldb', 'halved', 'bytes instead of'],
  ] as const)('%s %s: the start is refused, with its reason', async (kind, harm, reason) => {
    for (const directory of [closed, killed]) {
      const { refused, message } = await looked(directory, async (folder) => {
        const file = (await filesOf(folder)).find((name) => name.includes(kind)) as string
        const path = join(folder, file)
        if (harm === 'removed') await rm(path)
        if (harm === 'emptied') await truncate(path)
        if (harm === 'garbage') await writeFile(path, 'garbage\n')
        if (harm === 'halved') await truncate(path, (await readFile(path)).length >> 1)
      })
      expect(refused).toBe('storage-inaccessible')
      expect(message).toContain(reason)
    }
  })

  test('a log cut at any length after an orderly close is refused', async () => {
    const [log] = (await filesOf(join(closed, 'log'))).filter((file) => file.endsWith('.log'))
    const { length } = await readFile(join(closed, 'log', log as string))
    for (const cut of [0, 1, 7, length >> 1, length - 1]) {
      const { refused } = await looked(closed, (folder) =>
        truncate(join(folder, log as string), cut),
      )
      expect(refused).toBe('storage-inaccessible')
    }
  })

  test(
    `${FAULTS} random ones never end the process nor make a document another, and none shorter but by the last writes of a log that was never closed (DISK_FAULT_SEED=${SEED})`,
    { timeout: 30_000 + FAULTS * 3_000 },
    async () => {
      const tally: Record<string, number> = {}
      for (let number = 0; number < FAULTS; number++) {
        const random = randomFrom(SEED + number)
        const isClosed = random() < 0.5
        let harm = ''
        const outcome = await looked(isClosed ? closed : killed, async (folder) => {
          harm = await harmAtRandom(folder, random)
        })
        const story = `DISK_FAULT_SEED=${SEED + number} DISK_FAULTS=1: ${isClosed ? 'closed' : 'killed'}, ${harm}`
        expect(outcome.ended, `${story}: ${outcome.message}`).toBe(0)
        // Of a process that was killed nobody knows where its log ended: what the last write has left may be torn.
        const isTorn = !isClosed && harm.includes('.log')
        const states = Object.values(outcome.found ?? {})
        const wrong = states.filter((state) => state !== 'whole' && state !== 'record-damaged')
        expect(
          isTorn ? wrong.filter((state) => !/^ends with [1-9]/.test(state)) : wrong,
          story,
        ).toEqual([])
        if (outcome.refused !== undefined)
          expect(outcome.refused, story).toMatch(/^storage-(inaccessible|format)$/)
        const kind =
          outcome.refused !== undefined
            ? 'start refused'
            : states.every((state) => state === 'whole')
              ? 'all whole'
              : wrong.length > 0
                ? 'torn end of a killed log'
                : 'some documents refused by name'
        tally[kind] = (tally[kind] ?? 0) + 1
      }
      // oxlint-disable-next-line no-console -- a campaign's result is what it is run for
      console.info(`disk faults from seed ${SEED}:`, tally)
    },
  )
})

interface Looked {
  readonly found?: Record<string, string>
  readonly errors?: readonly unknown[]
  readonly refused?: string
  readonly message?: string
  /** The exit code, or the signal: LevelDB may end the process. */
  readonly ended: number | NodeJS.Signals
}

/** Harms a copy, and has a process of its own look at what is left. */
async function looked(
  original: string,
  harm: (folder: string) => Promise<unknown>,
): Promise<Looked> {
  const directory = await makeTempDirectory()
  try {
    await cp(original, directory, { recursive: true })
    await harm(join(directory, 'log'))
    const child = spawn(process.execPath, [CHILD, directory, 'look'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let said = ''
    child.stdout.on('data', (text: Buffer) => (said += text.toString()))
    child.stderr.on('data', (text: Buffer) => (said += text.toString()))
    const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
    const ended = code ?? signal ?? 0
    return ended === 0
      ? { ...(JSON.parse(said) as Omit<Looked, 'ended'>), ended }
      : { message: said, ended }
  } finally {
    await removeDirectory(directory)
  }
}

/** Sentence about what was done. */
async function harmAtRandom(folder: string, random: () => number): Promise<string> {
  const files = await filesOf(folder)
  const file = files[Math.floor(random() * files.length)] as string
  const path = join(folder, file)
  const bytes = await readFile(path)
  const at = Math.floor(random() * bytes.length)
  const kind = random()
  if (kind < 0.25) {
    await truncate(path, at)
    return `${file} of ${bytes.length} bytes cut at ${at}`
  }
  if (kind < 0.4) {
    bytes.fill(0, at, Math.min(at + 512, bytes.length))
    await writeFile(path, bytes)
    return `${file} has 512 zeros from ${at} on`
  }
  // Half of the flips near the end, where a table keeps what all else hangs on.
  const place = random() < 0.5 ? at : Math.max(0, bytes.length - 1 - Math.floor(random() * 60))
  const bit = Math.floor(random() * 8)
  if (bytes.length > 0) bytes[place] = (bytes[place] as number) ^ (1 << bit)
  await writeFile(path, bytes)
  return `${file} of ${bytes.length} bytes has bit ${bit} of byte ${place} flipped`
}

/** What LevelDB reads. */
async function filesOf(folder: string): Promise<string[]> {
  return (await readdir(folder))
    .filter((file) => /^(CURRENT|MANIFEST-\d+|\d+\.(ldb|log))$/.test(file))
    .sort()
}

async function filled(ending: 'close' | 'kill'): Promise<string> {
  const directory = await makeTempDirectory()
  const child = spawn(process.execPath, [CHILD, directory, 'fill'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  const ended = once(child, 'close')
  if (ending === 'close') child.stdin.end()
  else child.kill('SIGKILL')
  await ended
  return directory
}

/** The same numbers for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
