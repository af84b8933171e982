import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { LEVEL_FOLDER } from '../../src/storage/database-files.ts'
import type { LevelDatabase } from '../../src/storage/level-database.ts'
import { levelStorage } from '../../src/storage/level-storage.ts'
import { LevelTables } from '../../src/storage/level-tables.ts'
import { asName, entriesOf, numbered, readAll } from '../../src/storage/storage-scenes.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { tempDirectory } from '../support/temp-directory.ts'

const A = asName('a')
const B = asName('b')
const MIB = 1024 * 1024
const A_INDEX = Uint8Array.of(1)

describe('removed rows', () => {
  test('[ST17] leave the disk after a replacement, and nothing else does', async () => {
    const directory = await tempDirectory()
    const options = { tableWasteBytes: 64 * 1024 }
    const first = levelStorage(directory, options)
    await first.open()
    const { epoch } = await first.head(A)
    await first.append([{ name: B, epoch: (await first.head(B)).epoch, entries: entriesOf(1, 9) }])
    const update = crypto.getRandomValues(new Uint8Array(60_000))
    const entries = Array.from({ length: 40 }, () => ({ update, author: null, receivedAt: 1 }))
    // Random bytes, and no two rows alike: compression must not do the work.
    for (const [at, entry] of entries.entries())
      await first.append([
        { name: A, epoch, entries: [{ ...entry, update: update.map((byte) => byte ^ at) }] },
      ])
    await first.close()

    const second = levelStorage(directory, options)
    await second.open()
    expect(await tableBytes(directory)).toBeGreaterThan(2 * MIB)
    for (const seq of [39, 40])
      await second.replacePrefix(A, epoch, { seq, update: Uint8Array.of(seq), index: update })
    await expect.poll(() => tableBytes(directory)).toBeLessThan(MIB / 2)
    await second.close()

    const third = levelStorage(directory, options)
    await third.open()
    expect(await third.head(A)).toMatchObject({ seq: 40, snapshot: { seq: 40, index: update } })
    expect((await readAll(third, A, epoch, 39)).map(({ seq }) => seq)).toEqual([40])
    expect(await third.readSnapshotChunk(A, epoch, 39, 0)).toEqual(Uint8Array.of(39))
    expect(await readAll(third, B, (await third.head(B)).epoch)).toEqual(
      numbered(1, 9).map((entry) => ({ ...entry, update: expect.any(Uint8Array) as Uint8Array })),
    )
    await third.close()
  })

  test('[ST17] leave the disk when a database is closed for the first time, all of it in the log', async () => {
    const directory = await tempDirectory()
    const storage = levelStorage(directory, { tableWasteBytes: 64 * 1024 })
    await storage.open()
    const { epoch } = await storage.head(A)
    for (let seq = 1; seq <= 40; seq++) {
      const update = crypto.getRandomValues(new Uint8Array(60_000))
      await storage.append([{ name: A, epoch, entries: [{ update, author: null, receivedAt: 1 }] }])
    }
    for (const seq of [39, 40, 0])
      await storage.replacePrefix(A, epoch, { seq, update: Uint8Array.of(seq), index: A_INDEX })
    await storage.close()
    expect(await tableBytes(directory)).toBeLessThan(MIB / 2)
    const again = levelStorage(directory)
    await again.open()
    expect(await again.head(A)).toMatchObject({ epoch, seq: 40, snapshot: { seq: 40 } })
    expect(await readAll(again, A, epoch, 39)).toHaveLength(1)
    await again.close()
  })

  test('[ST17] are merged away when half of the tables may be waste, one merge at a time, and never in a large database', async () => {
    let bytes = 0
    let merged = 0
    let merges = 0
    let fail = false
    const database = {
      tableBytes: () => Promise.resolve(bytes),
      mergedBytes: () => Promise.resolve(merged),
      mergeTables: () => {
        if (fail) return Promise.reject(new Error('the disk is away'))
        merges++
        bytes = merged = Math.min(bytes, 3 * MIB)
        return Promise.resolve()
      },
    } as unknown as LevelDatabase
    const tables = new LevelTables(database, silentLogger, MIB)
    const mergesAt = async (size: number, removed = 0): Promise<number> => {
      bytes = size
      merges = 0
      tables.consider(removed)
      tables.consider(0)
      await tables.whenIdle()
      return merges
    }
    expect(await mergesAt(MIB - 1)).toBe(0)
    expect(await mergesAt(5 * MIB)).toBe(1)
    // Three are left, and as many come before the next.
    expect(await mergesAt(6 * MIB - 1)).toBe(0)
    fail = true
    expect(await mergesAt(6 * MIB)).toBe(0)
    fail = false
    expect(await mergesAt(6 * MIB)).toBe(1)
    // What is removed counts although nothing is added, all of it together.
    expect(await mergesAt(3 * MIB, MIB)).toBe(0)
    expect(await mergesAt(3 * MIB, MIB / 2)).toBe(1)
    expect(await mergesAt(3 * MIB, MIB)).toBe(0)
    expect(await mergesAt(17 * MIB, 16 * MIB)).toBe(0)
    tables.stop()
    expect(await mergesAt(8 * MIB, 8 * MIB)).toBe(0)

    // At the end what is not in a table yet counts too.
    const last = new LevelTables(database, silentLogger, MIB)
    bytes = merged
    await last.finish(MIB)
    expect(merges).toBe(0)
    await last.finish(62 * MIB)
    expect(merges).toBe(0)
    await last.finish(3 * MIB)
    expect(merges).toBe(1)
  })
})

async function tableBytes(directory: string): Promise<number> {
  const folder = join(directory, LEVEL_FOLDER)
  const files = (await readdir(folder)).filter((file) => file.endsWith('.ldb'))
  const stats = await Promise.all(files.map((file) => stat(join(folder, file))))
  return stats.reduce((sum, { size }) => sum + size, 0)
}
