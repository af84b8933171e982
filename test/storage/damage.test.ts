import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { Level } from 'level'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { documentKey, entryKey, FORMAT_COPY_KEY, FORMAT_KEY } from '../../src/storage/level-keys.ts'
import { levelStorage } from '../../src/storage/level-storage.ts'
import { encodeFormat, FORMAT_VERSION } from '../../src/storage/records.ts'
import { asName, entriesOf, readAll } from '../../src/storage/storage-scenes.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { flipBit, withRows } from '../support/storage-surgery.ts'
import { tempDirectory } from '../support/temp-directory.ts'

const A = asName('a')
const B = asName('b')
const damaged = (what: string): object => ({
  code: 'record-damaged',
  message: expect.stringContaining(`${what} of document "a"`),
})

afterEach(() => void vi.restoreAllMocks())

describe('damage', () => {
  test('T10 T11 every flipped bit of an entry is a rejection that names it; others are untouched', async () => {
    const directory = await filled()
    const bytes = await withRows(
      directory,
      async (level) => (await level.get(entryKey('a', 0, 7)))?.length,
    )
    for (let at = 0; at < (bytes ?? 0); at++) {
      await flipBit(directory, entryKey('a', 0, 7), at)
      await withStorage(directory, async (storage) => {
        const { epoch, seq } = await storage.head(A)
        expect(seq).toBe(10)
        await expect(storage.readEntries(A, epoch, 0, 9999)).rejects.toMatchObject(
          damaged('log entry 7'),
        )
        expect(await storage.readEntries(A, epoch, 7, 9999)).toHaveLength(3)
        await expectWhole(storage)
      })
      await flipBit(directory, entryKey('a', 0, 7), at)
    }
    expect(bytes).toBeGreaterThan(20)
  })

  test('T11 a missing entry is a rejection, in the middle, at the start and at the end', async () => {
    for (const seq of [1, 5]) {
      const directory = await filled()
      await withRows(directory, (level) => level.del(entryKey('a', 0, seq)))
      await withStorage(directory, async (storage) => {
        const { epoch } = await storage.head(A)
        await expect(readAll(storage, A, epoch)).rejects.toMatchObject(damaged(`log entry ${seq}`))
        await expectWhole(storage)
      })
    }
    await withStorage(await filled(), async (storage, directory) => {
      const { epoch } = await storage.head(A)
      await storage.close()
      await withRows(directory, (level) =>
        level.clear({ gte: entryKey('a', 0, 1), lte: entryKey('a', 0, 10) }),
      )
      const restarted = levelStorage(directory)
      await restarted.open()
      await expect(restarted.head(A)).rejects.toMatchObject(damaged('log'))
      await expect(restarted.readEntries(A, epoch, 0, 10)).rejects.toMatchObject(damaged('log'))
      await expectWhole(restarted)
      await restarted.close()
    })
  })

  test('T11 entries under another key than their own are damage', async () => {
    const directory = await filled()
    await withRows(directory, async (level) => {
      const other = await level.get(entryKey('b', 0, 2))
      await level.put(entryKey('a', 0, 2), other as Uint8Array)
    })
    await withStorage(directory, async (storage) => {
      const { epoch } = await storage.head(A)
      await expect(readAll(storage, A, epoch)).rejects.toMatchObject(damaged('log entry 2'))
    })
  })

  test('T10 T11 a damaged or missing record is never an empty document', async () => {
    for (const harm of ['flip', 'remove']) {
      const directory = await filled()
      if (harm === 'flip') await flipBit(directory, documentKey('a'))
      else await withRows(directory, (level) => level.del(documentKey('a')))
      await withStorage(directory, async (storage) => {
        await expect(storage.head(A)).rejects.toMatchObject(damaged('record'))
        await expectWhole(storage)
        const { epoch } = await storage.head(B)
        const entries = entriesOf(11, 11)
        expect(
          await storage.append([
            { name: A, epoch, entries },
            { name: B, epoch, entries },
          ]),
        ).toEqual([
          { ok: false, code: 'record-damaged' },
          { ok: true, firstSeq: 11 },
        ])
        expect(await storage.list({ limit: 9 })).toEqual(harm === 'flip' ? ['a', 'b'] : ['b'])
      })
    }
  })

  test('[ST11] a damaged document can be deleted, and lives on in a new epoch', async () => {
    const directory = await filled()
    await flipBit(directory, documentKey('a'))
    await withStorage(directory, async (storage) => {
      const { epoch: epochB } = await storage.head(B)
      const epoch = await storage.delete(A)
      expect(epoch).not.toBe(epochB)
      expect(await storage.head(A)).toEqual({ epoch, seq: 0, snapshot: null })
      await storage.append([{ name: A, epoch, entries: entriesOf(1, 1) }])
      expect(await readAll(storage, A, epoch)).toHaveLength(1)
    })
  })

  test('T10 T11 [ST14] a log whose end is missing is a rejection, up to what its record tells', async () => {
    const directory = await filled()
    // As a flipped bit in a key of a table does: the row turns up nowhere.
    await withRows(directory, (level) => level.del(entryKey('a', 0, 10)))
    await withStorage(directory, async (storage) => {
      const { epoch } = await storage.head(B)
      await expect(storage.head(A)).rejects.toMatchObject(damaged('log'))
      const outcomes = await storage.append([{ name: A, epoch, entries: entriesOf(1, 1) }])
      expect(outcomes).toEqual([{ ok: false, code: 'record-damaged' }])
      await expectWhole(storage)
    })
  })

  test('a record of the first releases, which did not tell where the log ends, is read', async () => {
    const directory = await filled()
    await withRows(directory, async (level) => {
      const key = documentKey('a')
      const value = Buffer.from((await level.get(key)) as Uint8Array).subarray(0, 26)
      value.writeUInt32BE(crc32(value.subarray(4), crc32(key)), 0)
      await level.put(key, value)
    })
    await withStorage(directory, async (storage) => {
      const { epoch, seq } = await storage.head(A)
      expect(seq).toBe(10)
      await storage.append([{ name: A, epoch, entries: entriesOf(11, 11) }])
      expect(await readAll(storage, A, epoch)).toHaveLength(11)
    })
  })

  test('T11 a failing read is a rejection, and the next one tries again', async () => {
    await withStorage(await filled(), async (storage) => {
      const { epoch } = await storage.head(A)
      const failing = vi.spyOn(Level.prototype, 'iterator').mockImplementation(() => {
        throw Object.assign(new Error('IO error: injected'), { code: 'LEVEL_IO_ERROR' })
      })
      await expect(storage.readEntries(A, epoch, 0, 99)).rejects.toMatchObject({
        code: 'storage-unavailable',
        message: expect.stringContaining('IO error: injected'),
      })
      await expect(storage.list({ limit: 1 })).rejects.toMatchObject({
        code: 'storage-unavailable',
      })
      failing.mockRestore()
      expect(await readAll(storage, A, epoch)).toHaveLength(10)
    })
  })

  test('T11 a document that could not be read when first touched is not remembered as empty', async () => {
    const directory = await filled()
    await withStorage(directory, async (storage) => {
      const failing = vi.spyOn(Level.prototype, 'get').mockRejectedValue(new Error('injected'))
      await expect(storage.head(A)).rejects.toMatchObject({ code: 'storage-unavailable' })
      const lost = storage.append([{ name: A, epoch: 'any', entries: entriesOf(1, 1) }])
      await expect(lost).rejects.toMatchObject({ code: 'storage-unavailable' })
      failing.mockRestore()
      expect((await storage.head(A)).seq).toBe(10)
    })
  })

  test('T10 a flipped byte in LevelDB’s own log is refused, and reported when the loss is accepted', async () => {
    const directory = await filled()
    const folder = join(directory, 'log')
    const [log] = (await readdir(folder)).filter((file) => file.endsWith('.log'))
    const bytes = await readFile(join(folder, log as string))
    const at = bytes.indexOf('update 6')
    bytes[at] = (bytes[at] as number) ^ 1
    await writeFile(join(folder, log as string), bytes)
    // Which documents it concerns LevelDB does not tell, and a shorter log looks like a whole one.
    await expect(levelStorage(directory).open()).rejects.toMatchObject({
      code: 'storage-inaccessible',
      message: expect.stringContaining(`${log} is not as it was closed`),
    })
    await rm(join(folder, 'CLOSED'))
    await expect(levelStorage(directory).open()).rejects.toMatchObject({
      code: 'storage-inaccessible',
      message: expect.stringMatching(/\.log is damaged at byte \d+/),
    })
    const errors: string[] = []
    const ignore = (): void => undefined
    const storage = levelStorage(directory, {
      acceptLoss: true,
      logger: {
        debug: ignore,
        info: ignore,
        warn: ignore,
        error: (message) => errors.push(message),
      },
    })
    await storage.open()
    expect(errors).toEqual([
      'the database is damaged; going on without what cannot be read',
      'LevelDB dropped damaged bytes of its log: updates may be missing',
    ])
    await storage.close()
  })
})

describe('[ST1] what is no database of ours', () => {
  test('a newer format is refused', async () => {
    const directory = await filled()
    await withRows(directory, (level) =>
      level.put(
        FORMAT_KEY,
        encodeFormat(FORMAT_KEY, { version: FORMAT_VERSION + 1, databaseId: '0123456789abcdef' }),
      ),
    )
    await expect(levelStorage(directory).open()).rejects.toMatchObject({
      code: 'storage-format',
      message: expect.stringContaining('newer version'),
    })
    expect(await readdir(directory)).toEqual(['log'])
  })

  test('a damaged format record is read from its copy, and made anew when it is lost; without either it is refused', async () => {
    const directory = await filled()
    await flipBit(directory, FORMAT_KEY)
    await withStorage(directory, expectWhole)
    await withRows(directory, (level) => level.del(FORMAT_KEY))
    await withStorage(directory, expectWhole)
    await withRows(directory, (level) => level.del(FORMAT_COPY_KEY))
    await withStorage(directory, expectWhole)
    await flipBit(directory, FORMAT_KEY)
    await flipBit(directory, FORMAT_COPY_KEY)
    await expect(levelStorage(directory).open()).rejects.toMatchObject({ code: 'storage-format' })
  })

  test('a LevelDB of something else is refused, and left as it is', async () => {
    const directory = await tempDirectory()
    const key = Uint8Array.of(9)
    await withRows(directory, (level) => level.put(key, key))
    await expect(levelStorage(directory).open()).rejects.toMatchObject({
      code: 'storage-format',
      message: expect.stringContaining('something else'),
    })
    expect(await withRows(directory, (level) => level.keys().all())).toHaveLength(1)
  })

  test('T11 a database whose CURRENT file is lost is not taken for a new one', async () => {
    const directory = await filled()
    const current = join(directory, 'log', 'CURRENT')
    await rename(current, `${current}.away`)
    // As a kill leaves it: after an orderly close it could be written anew.
    await rm(join(directory, 'log', 'CLOSED'))
    await expect(levelStorage(directory).open()).rejects.toMatchObject({
      code: 'storage-inaccessible',
    })
    await rename(`${current}.away`, current)
    await withStorage(directory, expectWhole)
  })

  test('a damaged manifest of LevelDB is told', async () => {
    const directory = await filled()
    const folder = join(directory, 'log')
    for (const file of await readdir(folder))
      if (file.startsWith('MANIFEST')) await rm(join(folder, file))
    await expect(levelStorage(directory).open()).rejects.toMatchObject({
      code: 'storage-inaccessible',
      message: expect.stringContaining(directory),
    })
  })
})

/** Documents a and b with ten entries each, closed. */
async function filled(): Promise<string> {
  const directory = await tempDirectory()
  await withStorage(directory, async (storage) => {
    const { epoch } = await storage.head(A)
    for (let seq = 1; seq <= 10; seq++)
      await storage.append([A, B].map((name) => ({ name, epoch, entries: entriesOf(seq, seq) })))
  })
  return directory
}

async function withStorage(
  directory: string,
  use: (storage: Storage, directory: string) => Promise<void>,
): Promise<void> {
  const storage = levelStorage(directory)
  await storage.open()
  try {
    await use(storage, directory)
  } finally {
    await storage.close()
  }
}

async function expectWhole(storage: Storage): Promise<void> {
  const { epoch, seq } = await storage.head(B)
  expect(seq).toBe(10)
  expect(await readAll(storage, B, epoch)).toHaveLength(10)
}
