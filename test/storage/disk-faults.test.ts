import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { concerns, type Gap, gapOf, isAll, mapTables, type TableMap } from '../support/table-map.ts'
import { makeTempDirectory, removeDirectory } from '../support/temp-directory.ts'

const FAULTS = Number(process.env['DISK_FAULTS'] ?? 30)
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

describe('T10 T11 [ST15] [ST16] files that are broken', () => {
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
    ['MANIFEST', 'removed', 'which is not there'],
    ['MANIFEST', 'emptied', ''],
    ['MANIFEST', 'halved', ''],
    ['.log', 'removed', '.log is missing'],
  ] as const)('%s %s: the start is refused, with its reason', async (kind, harm, reason) => {
    for (const directory of [closed, killed]) {
      const { refused, message } = await looked(directory, async (folder) => {
        const file = (await filesOf(folder)).find((name) => name.includes(kind)) as string
        const path = join(folder, file)
        if (harm === 'removed') await rm(path)
        if (harm === 'emptied') await truncate(path)
        if (harm === 'halved') await truncate(path, (await readFile(path)).length >> 1)
      })
      expect(refused).toBe('storage-inaccessible')
      expect(message).toContain(reason)
    }
  })

  test.each(['removed', 'halved', 'without footer', 'with a damaged block'] as const)(
    'a table that is %s: it is set aside, documents outside of it are whole, and it stays so',
    async (harm) => {
      const original = harm === 'removed' || harm === 'halved' ? closed : killed
      const maps = await mapTables(join(original, 'log'))
      for (const [file, map] of maps) {
        const path = (folder: string): string => join(folder, file)
        const { length } = await readFile(path(join(original, 'log')))
        const middle = map[map.length >> 1]!
        const gap = {
          removed: gapOf(map, 0, length, true),
          halved: gapOf(map, length >> 1, length, true),
          'without footer': null,
          'with a damaged block': gapOf(map, middle.start, middle.start + 1, false),
        }[harm]
        const outcome = await looked(original, async (folder) => {
          const bytes = await readFile(path(folder))
          if (harm === 'removed') await rm(path(folder))
          if (harm === 'halved') await truncate(path(folder), length >> 1)
          if (harm === 'without footer') await writeFile(path(folder), bytes.fill(0, length - 48))
          if (harm === 'with a damaged block') {
            // Another byte than was there: in a block of LevelDB's it may be any.
            bytes[middle.start] = (bytes[middle.start] as number) ^ 0xff
            await writeFile(path(folder), bytes)
          }
        })
        expect(outcome.ended, outcome.message).toBe(0)
        if (gap !== null && isAll(gap, map)) {
          // Nothing is outside of it, and what names the database is lost as well.
          expect(outcome.message).toContain(file)
          expect(outcome.refused).toBe('storage-inaccessible')
          continue
        }
        expectOthersWhole(outcome, gap && { gap, map }, file)
        expect(JSON.stringify(outcome.errors)).toContain(file)
        if (harm !== 'removed') expect(outcome.kept).toHaveLength(1)
      }
    },
  )

  test.each([
    ['removed', 'CURRENT is missing'],
    ['emptied', ''],
    ['garbage', 'which is not there'],
  ] as const)(
    'CURRENT %s: after an orderly close nothing is lost, after a kill the start is refused',
    async (kind, reason) => {
      const harm = async (folder: string): Promise<void> => {
        const path = join(folder, 'CURRENT')
        if (kind === 'removed') await rm(path)
        if (kind === 'emptied') await truncate(path)
        if (kind === 'garbage') await writeFile(path, 'garbage\n')
      }
      const { found, errors } = await looked(closed, harm)
      expect([...new Set(Object.values(found ?? {}))]).toEqual(['whole'])
      expect(JSON.stringify(errors)).toContain('CURRENT was lost, and written anew')
      const { refused, message } = await looked(killed, harm)
      expect(refused).toBe('storage-inaccessible')
      expect(message).toContain(reason)
    },
  )

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
    { timeout: 240_000 + FAULTS * 3_000 },
    async () => {
      const tally: Record<string, number> = {}
      for (let number = 0; number < FAULTS; number++) {
        const random = randomFrom(SEED + number)
        const isClosed = random() < 0.5
        const original = isClosed ? closed : killed
        const maps = await mapTables(join(original, 'log'))
        let harm = ''
        let place: Place | null = null
        const outcome = await looked(original, async (folder) => {
          ;({ harm, place } = await harmAtRandom(folder, random))
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
        const { file, start, end, isCut } = place as unknown as Place
        const map = maps.get(file)
        if (map !== undefined) {
          const gap = gapOf(map, start, end, isCut)
          if (gap !== null && isAll(gap, map)) expect(outcome.refused, story).toBeDefined()
          else expectOthersWhole(outcome, gap && { gap, map }, story)
        }
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
  /** The same after another start. */
  readonly foundAgain?: Record<string, string>
  /** Files that were set aside. */
  readonly kept?: readonly string[]
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
    const outcome = await look(directory)
    const kept = await readdir(join(directory, 'damaged')).catch(() => [])
    if (kept.length === 0 || outcome.found === undefined) return { ...outcome, kept }
    const again = await look(directory)
    expect(again.ended, again.message).toBe(0)
    return { ...outcome, kept, foundAgain: again.found ?? {} }
  } finally {
    await removeDirectory(directory)
  }
}

async function look(directory: string): Promise<Looked> {
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
}

/** Those whose rows cannot have been where the damage is are whole, the others whole or refused, and so they are after the next start. */
function expectOthersWhole(
  { found, foundAgain, refused, message }: Looked,
  damage: { gap: Gap; map: TableMap } | null,
  story: string,
): void {
  expect(refused, `${story}: ${message}`).toBeUndefined()
  for (const [name, state] of Object.entries(found ?? {})) {
    const isConcerned = damage !== null && concerns(damage.gap, damage.map, name)
    expect(isConcerned ? ['whole', 'record-damaged'] : ['whole'], `${story}: ${name}`).toContain(
      state,
    )
  }
  if (foundAgain !== undefined) expect(foundAgain, story).toEqual(found)
}

/** Which bytes of which file were harmed. */
interface Place {
  readonly file: string
  readonly start: number
  readonly end: number
  readonly isCut: boolean
}

/** Says what was done in a sentence, too. */
async function harmAtRandom(
  folder: string,
  random: () => number,
): Promise<{ harm: string; place: Place }> {
  const files = await filesOf(folder)
  const file = files[Math.floor(random() * files.length)] as string
  const path = join(folder, file)
  const bytes = await readFile(path)
  const at = Math.floor(random() * bytes.length)
  const kind = random()
  if (kind < 0.25) {
    await truncate(path, at)
    const place = { file, start: at, end: bytes.length, isCut: true }
    return { harm: `${file} of ${bytes.length} bytes cut at ${at}`, place }
  }
  if (kind < 0.4) {
    const end = Math.min(at + 512, bytes.length)
    bytes.fill(0, at, end)
    await writeFile(path, bytes)
    const harm = `${file} has 512 zeros from ${at} on`
    return { harm, place: { file, start: at, end, isCut: false } }
  }
  // Half of the flips near the end, where a table keeps what all else hangs on.
  const place = random() < 0.5 ? at : Math.max(0, bytes.length - 1 - Math.floor(random() * 60))
  const bit = Math.floor(random() * 8)
  if (bytes.length > 0) bytes[place] = (bytes[place] as number) ^ (1 << bit)
  await writeFile(path, bytes)
  return {
    harm: `${file} of ${bytes.length} bytes has bit ${bit} of byte ${place} flipped`,
    place: { file, start: place, end: place + 1, isCut: false },
  }
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
