import { cp, mkdir, readdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { DamageRecord } from '../../src/storage/damage-record.ts'
import { documentKey, entryKey } from '../../src/storage/level-keys.ts'
import { levelStorage } from '../../src/storage/level-storage.ts'
import { asName, entriesOf, readAll } from '../../src/storage/storage-scenes.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { mapTables } from '../support/table-map.ts'
import { tempDirectory } from '../support/temp-directory.ts'

const COUNT = 60
const ENTRIES = 40
const NAMES = Array.from({ length: COUNT }, (_, number) => asName(`document ${100 + number}`))
const A = asName('a')
const DAMAGED = { code: 'record-damaged' }
const SET_ASIDE = 'damaged files of the database were set aside'
const REFUSING =
  'documents are refused that damage may have cut short; delete them, restore a backup, or accept the loss'

describe('T10 [ST16] a table with a damaged block', () => {
  test.each([20, ENTRIES])(
    'of entries (%i) is set aside; the documents in it are refused, at every start, and no others',
    async (seq) => {
      const directory = await filled()
      const inBlock = await harmBlockOf(directory, entryKey(NAMES[30]!, 0, seq))
      expect(inBlock.length).toBeLessThan(60)
      const concerned = NAMES.filter((name) => inBlock.some((key) => belongsTo(key, name)))
      for (const errors of [[SET_ASIDE, REFUSING], [REFUSING]])
        await withStorage(directory, async (storage, log) => {
          expect(log.map(([message]) => message)).toEqual(errors)
          const refused = await refusedNames(storage)
          expect(storage.damagedDocuments?.()).toEqual(refused)
          expect(log.at(-1)?.[1]).toMatchObject({ documents: refused.length, names: refused })
          // One before the block may have gone on in it.
          expect(refused.length).toBeGreaterThan(0)
          expect(refused.length).toBeLessThanOrEqual(concerned.length + 1)
          for (const name of concerned) expect(refused).toContain(name)
          // Nothing is written to a refused document, in no other way either.
          const { epoch } = await storage.head(NAMES[0]!)
          const outcomes = await storage.append(
            [NAMES[30]!, NAMES[0]!].map((name) => ({ name, epoch, entries: entriesOf(1, 1) })),
          )
          expect(outcomes).toMatchObject([{ ok: false, code: 'record-damaged' }, { ok: true }])
          await expect(storage.readEntries(NAMES[30]!, epoch, 0, 99)).rejects.toMatchObject(DAMAGED)
        })
      expect(await readdir(join(directory, 'damaged'))).toHaveLength(1)
    },
  )

  test('of records: names in it are refused, known or not, until they are deleted; then they are new documents', async () => {
    const directory = await filled()
    await harmBlockOf(directory, documentKey(NAMES[30]!))
    const unknown = asName(`${NAMES[30]!} and a half`)
    await withStorage(directory, async (storage) => {
      await expect(storage.head(NAMES[30]!)).rejects.toMatchObject(DAMAGED)
      // It may have been there.
      await expect(storage.head(unknown)).rejects.toMatchObject(DAMAGED)
      expect(storage.damagedDocuments?.()).toContain(NAMES[30])
      for (const name of [NAMES[30]!, unknown]) {
        const epoch = await storage.delete(name)
        expect(await storage.head(name)).toEqual({ epoch, seq: 0, snapshot: null })
        await storage.append([{ name, epoch, entries: entriesOf(1, 3) }])
      }
    })
    await withStorage(directory, async (storage) => {
      for (const name of [NAMES[30]!, unknown]) {
        const { epoch, seq } = await storage.head(name)
        expect(seq).toBe(3)
        expect(await readAll(storage, name, epoch)).toHaveLength(3)
      }
      expect(storage.damagedDocuments?.()).not.toContain(NAMES[30])
      // The decision was about these two.
      await expect(storage.head(asName(`${NAMES[30]!} and more`))).rejects.toMatchObject(DAMAGED)
    })
  })

  test('and the loss accepted: nothing is refused for it, now and at later starts', async () => {
    const directory = await filled()
    await harmBlockOf(directory, entryKey(NAMES[30]!, 0, 20))
    await withStorage(directory, async (storage) => {
      expect((await refusedNames(storage)).length).toBeGreaterThan(0)
    })
    for (const acceptLoss of [true, false])
      await withStorage(
        directory,
        async (storage) => {
          expect(storage.damagedDocuments?.()).toEqual([])
          // What shows a hole by itself stays refused; what has lost its end is shorter now.
          for (const name of NAMES)
            await readAsItIs(storage, name).catch((error: unknown) =>
              expect(error).toMatchObject({ message: expect.stringContaining('log') }),
            )
        },
        acceptLoss,
      )
    expect(await readdir(directory)).not.toContain('damage.json')
  })

  test('without a filter, its rows are found, and LevelDB merges it into others like any table', async () => {
    const directory = await filled()
    await harmBlockOf(directory, entryKey(NAMES[30]!, 0, 20))
    const salvaged = await newestTable(directory)
    const storage = levelStorage(directory, { writeBufferBytes: 64 * 1024 })
    await storage.open()
    const refused = await refusedNames(storage)
    const others = NAMES.filter((name) => !refused.includes(name))
    for (let round = 0; round < 40; round++)
      await storage.append(
        await Promise.all(
          others.map(async (name) => ({
            name,
            epoch: (await storage.head(name)).epoch,
            entries: [randomEntry(round, 2000)],
          })),
        ),
      )
    await expect.poll(() => readdir(join(directory, 'log'))).not.toContain(salvaged)
    expect(await refusedNames(storage)).toEqual(refused)
    for (const name of others) expect((await storage.head(name)).seq).toBe(ENTRIES + 40)
    await storage.close()
    await withStorage(directory, async (again) =>
      expect(await refusedNames(again)).toEqual(refused),
    )
  })
})

describe('T10 [ST16] a table whose index is damaged', () => {
  test('loses nothing: its blocks are found by their checksums', async () => {
    const directory = await filled()
    const folder = join(directory, 'log')
    for (const file of (await readdir(folder)).filter((name) => name.endsWith('.ldb'))) {
      const bytes = await readFile(join(folder, file))
      await writeFile(join(folder, file), bytes.fill(0xaa, bytes.length - 100))
    }
    await withStorage(directory, async (storage, log) => {
      expect(log).toMatchObject([[SET_ASIDE, { faults: [/* one */ expect.any(String)] }]])
      expect(await refusedNames(storage)).toEqual([])
    })
    await withStorage(directory, async (_storage, log) => expect(log).toEqual([]))
    expect(await readdir(directory)).not.toContain('damage.json')
  })
})

test('T10 [ST15] a table that the disk does not give to read is not damaged but refuses the start, with its name', async () => {
  const directory = await filled()
  const table = await newestTable(directory)
  const path = join(directory, 'log', table)
  await rename(path, `${path}.away`)
  await mkdir(path)
  await expect(levelStorage(directory).open()).rejects.toMatchObject({
    code: 'storage-inaccessible',
    message: expect.stringContaining(`${table} cannot be read`),
  })
  await rmdir(path)
  await rename(`${path}.away`, path)
  await withStorage(directory, async (storage, log) => {
    expect([await refusedNames(storage), log]).toEqual([[], []])
  })
})

describe('T10 T15 [ST16] what a lost table hid', () => {
  test('a document whose deletion was in it does not come back', async () => {
    const directory = await tempDirectory()
    await withStorage(directory, async (storage) => {
      const { epoch } = await storage.head(A)
      await storage.append([{ name: A, epoch, entries: entriesOf(1, 10) }])
    })
    // Each start puts the log of the one before into a table.
    await withStorage(directory, async (storage) => void (await storage.delete(A)))
    await withStorage(directory, async (storage) => expect((await storage.head(A)).seq).toBe(0))
    const newest = await newestTable(directory)
    await rm(join(directory, 'log', newest))
    for (let start = 0; start < 2; start++)
      await withStorage(directory, async (storage) => {
        await expect(storage.head(A)).rejects.toMatchObject(DAMAGED)
        expect(storage.damagedDocuments?.()).toContain(A)
      })
    // LevelDB itself would have it.
    await withStorage(
      directory,
      async (storage) => expect((await storage.head(A)).seq).toBe(10),
      true,
    )
  })

  test('a log whose newest entries were in it is not served without them, nor goes on in their place', async () => {
    const directory = await tempDirectory()
    for (const [first, last] of [
      [1, 10],
      [11, 20],
    ] as const)
      await withStorage(directory, async (storage) => {
        const { epoch } = await storage.head(A)
        await storage.append([{ name: A, epoch, entries: entriesOf(first, last) }])
      })
    await withStorage(directory, async (storage) => expect((await storage.head(A)).seq).toBe(20))
    await rm(join(directory, 'log', await newestTable(directory)))
    await withStorage(directory, async (storage) =>
      expect(storage.head(A)).rejects.toMatchObject(DAMAGED),
    )
  })
})

describe('[ST16] the record of damage', () => {
  test('is made before anything is changed: a start that is cut short anywhere is done again', async () => {
    const directory = await filled()
    await harmBlockOf(directory, entryKey(NAMES[30]!, 0, 20))
    const folder = join(directory, 'log')
    const table = await newestTable(directory)
    const damaged = await readFile(join(folder, table))
    let refused: readonly string[] = []
    await withStorage(directory, async (storage) => void (refused = await refusedNames(storage)))
    expect(refused.length).toBeGreaterThan(0)
    // As if it had ended before the documents were looked up…
    const record = new DamageRecord(join(directory, 'damage.json'))
    const span = { from: Buffer.of(1), upTo: Buffer.of(2) }
    record.add({ at: 'now', faults: [], setAside: [] }, [span])
    expect(new DamageRecord(join(directory, 'damage.json')).faultOf('anything')).not.toBeNull()
    await withStorage(directory, async (storage) =>
      expect(storage.damagedDocuments?.()).toEqual(expect.arrayContaining([...NAMES])),
    )
    // …and before the table was replaced.
    if ((await readdir(folder)).includes(table)) {
      await writeFile(join(folder, table), damaged)
      await withStorage(directory, async (storage) =>
        expect(storage.damagedDocuments?.()).toEqual(expect.arrayContaining([...refused])),
      )
    }
  })

  test('that is damaged itself refuses the start', async () => {
    const directory = await filled()
    await harmBlockOf(directory, entryKey(NAMES[30]!, 0, 20))
    await withStorage(directory, async () => undefined)
    const path = join(directory, 'damage.json')
    const text = await readFile(path, 'utf8')
    for (const harmed of [text.replace('document 1', 'document 2'), text.slice(0, -3), '']) {
      await writeFile(path, harmed)
      await expect(levelStorage(directory).open()).rejects.toMatchObject({
        code: 'storage-inaccessible',
        message: expect.stringContaining('damage.json'),
      })
    }
    await withStorage(
      directory,
      async (storage) => expect(storage.damagedDocuments?.()).toEqual([]),
      true,
    )
  })
})

/** Documents of some 6 KB each, in a table of many blocks, as a kill leaves them: their records tell of the first entry only. */
async function filled(): Promise<string> {
  const living = await tempDirectory()
  const directory = await tempDirectory()
  await withStorage(living, async (storage) => {
    const { epoch } = await storage.head(A)
    for (let seq = 1; seq <= ENTRIES; seq++) {
      const entries = NAMES.map((_, number) => randomEntry(number * ENTRIES + seq))
      await storage.append(NAMES.map((name, at) => ({ name, epoch, entries: [entries[at]!] })))
    }
    await cp(join(living, 'log'), join(directory, 'log'), { recursive: true })
  })
  await withStorage(directory, async () => undefined)
  return directory
}

/** Bytes that do not compress, the same for the same seed. */
function randomEntry(seed: number, length = 100) {
  const update = new Uint8Array(length)
  let state = seed
  for (let at = 0; at < update.length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    update[at] = state >>> 24
  }
  return { update, author: null, receivedAt: 1 }
}

/** Flips a bit in the block that has this key. Gives the keys that were in there. */
async function harmBlockOf(directory: string, key: Uint8Array): Promise<readonly Buffer[]> {
  const folder = join(directory, 'log')
  for (const [file, map] of await mapTables(folder)) {
    const block = map.find(({ keys }) => keys.some((one) => one.equals(key)))
    if (block === undefined) continue
    const bytes = await readFile(join(folder, file))
    bytes[block.start + 3] = (bytes[block.start + 3] as number) ^ 1
    await writeFile(join(folder, file), bytes)
    return block.keys
  }
  throw new Error('the key is in no table')
}

function belongsTo(key: Buffer, name: string): boolean {
  return key.toString('utf8', 1, key.indexOf(0, 1)) === name
}

async function newestTable(directory: string): Promise<string> {
  const files = await readdir(join(directory, 'log'))
  return files
    .filter((file) => file.endsWith('.ldb'))
    .sort()
    .at(-1) as string
}

/** Every document is refused, or whole. */
async function refusedNames(storage: Storage): Promise<readonly string[]> {
  const refused: string[] = []
  for (const name of NAMES)
    await readWhole(storage, name).catch((error: unknown) => {
      expect(error).toMatchObject(DAMAGED)
      refused.push(name)
    })
  return refused
}

async function readWhole(storage: Storage, name: (typeof NAMES)[number]): Promise<void> {
  expect(await readAsItIs(storage, name)).toBeGreaterThanOrEqual(ENTRIES)
}

async function readAsItIs(storage: Storage, name: (typeof NAMES)[number]): Promise<number> {
  const { epoch, seq } = await storage.head(name)
  expect(await readAll(storage, name, epoch)).toHaveLength(seq)
  return seq
}

type Log = readonly (readonly [message: string, fields: unknown])[]

async function withStorage(
  directory: string,
  use: (storage: Storage, log: Log) => Promise<unknown>,
  acceptLoss = false,
): Promise<void> {
  const log: [string, unknown][] = []
  const ignore = (): void => undefined
  const storage = levelStorage(directory, {
    acceptLoss,
    logger: {
      debug: ignore,
      info: ignore,
      warn: ignore,
      error: (message, fields) => log.push([message, fields]),
    },
  })
  await storage.open()
  try {
    await use(storage, log)
  } finally {
    await storage.close()
  }
}
