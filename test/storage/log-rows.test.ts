import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { entryKey, FORMAT_KEY, seqOfEntryKey } from '../../src/storage/level-keys.ts'
import { levelStorage } from '../../src/storage/level-storage.ts'
import {
  decodeRow,
  encodeRow,
  groupedIntoRows,
  MAX_ROW_ENTRIES,
} from '../../src/storage/log-rows.ts'
import { decodeFormat, encodeFormat, FORMAT_VERSION } from '../../src/storage/records.ts'
import { asName, entriesOf, numbered, readAll } from '../../src/storage/storage-scenes.ts'
import type { LogEntry, NewEntry, Storage } from '../../src/storage/storage.ts'
import { withRows } from '../support/storage-surgery.ts'
import { tempDirectory } from '../support/temp-directory.ts'

const A = asName('a')
const KEY = entryKey('a', 0, 7)
const newEntries = fc.array(
  fc.record({
    update: fc.uint8Array({ maxLength: 40 }),
    author: fc.option(fc.constantFrom('', 'ada', 'Zoë 🦊')),
    receivedAt: fc.oneof(fc.constantFrom(0, 5), fc.double({ noNaN: true })),
  }),
  { minLength: 1, maxLength: 8 },
)

describe('rows of the log', () => {
  test('what was written in a row is read back, and a row of another length is damage', () => {
    fc.assert(
      fc.property(newEntries, (entries) => {
        const row = encodeRow(KEY, entries)
        expect(decodeRow(KEY, row, 'a', 7).map(plain)).toEqual(numberedFrom(7, entries))
        for (const other of [row.subarray(0, -1), Buffer.concat([row, Buffer.of(0)])])
          expect(() => decodeRow(KEY, sealed(other), 'a', 7)).toThrow('log entry 7')
      }),
    )
  })

  test('a row has so many entries and bytes at most, and a large entry a row of its own', () => {
    const keystrokes = entriesOf(1, 2 * MAX_ROW_ENTRIES + 1)
    expect(lengths(keystrokes)).toEqual([MAX_ROW_ENTRIES, MAX_ROW_ENTRIES, 1])
    const large = { update: new Uint8Array(16 * 1024 - 1), author: null, receivedAt: 1 }
    expect(lengths([large, ...entriesOf(1, 3), large, large])).toEqual([1, 3, 1, 1])
    expect(lengths([])).toEqual([])
  })

  test('a database of the first releases is read, and is none of theirs any more', async () => {
    const directory = await tempDirectory()
    await withStorage(directory, async (storage) => {
      const { epoch } = await storage.head(A)
      for (const entry of entriesOf(1, 3)) await append(storage, epoch, [entry])
    })
    await withRows(directory, async (level) => {
      for (const { seq, update, author, receivedAt } of numbered(1, 3))
        await level.put(entryKey('a', 0, seq), firstRelease(seq, update, author ?? '', receivedAt))
      const format = decodeFormat(FORMAT_KEY, (await level.get(FORMAT_KEY)) as Uint8Array)
      await level.put(
        FORMAT_KEY,
        encodeFormat(FORMAT_KEY, { version: 1, databaseId: format?.databaseId ?? '' }),
      )
    })
    await withStorage(directory, async (storage) => {
      const { epoch } = await storage.head(A)
      await append(storage, epoch, entriesOf(4, 9))
      expect((await readAll(storage, A, epoch)).map(plain)).toEqual(numbered(1, 9))
    })
    const format = await withRows(directory, (level) => level.get(FORMAT_KEY))
    expect(decodeFormat(FORMAT_KEY, format as Uint8Array)?.version).toBe(FORMAT_VERSION)
  })

  test('[ST6] [ST9] snapshots that end within a row lose nothing, and rows before them go', async () => {
    const directory = await tempDirectory()
    await withStorage(directory, async (storage) => {
      const { epoch } = await storage.head(A)
      await append(storage, epoch, entriesOf(1, 200))
      for (const [seq, kept] of [
        [70, 0],
        [100, 70],
        [101, 100],
        [200, 101],
      ] as const) {
        expect(await storage.replacePrefix(A, epoch, snapshotAt(seq))).toBe(true)
        for (let after = kept; after <= 200; after++)
          expect((await readAll(storage, A, epoch, after)).map(plain)).toEqual(
            numbered(after + 1, 200),
          )
      }
      await swept(storage, epoch)
    })
    expect(await rowSeqs(directory)).toEqual([65, 129, 193])
    await withStorage(directory, async (storage) => {
      const { epoch, seq } = await storage.head(A)
      expect(seq).toBe(200)
      await append(storage, epoch, entriesOf(201, 230))
      // The log of the newest snapshot begins with a row of its own, the one before it within the rows above.
      await storage.replacePrefix(A, epoch, snapshotAt(210))
      expect((await readAll(storage, A, epoch, 200)).map(plain)).toEqual(numbered(201, 230))
      await swept(storage, epoch)
    })
    expect(await rowSeqs(directory)).toEqual([201])
  })

  test('[ST4] a log goes on behind a row that a snapshot ends in, after a restart', async () => {
    const directory = await tempDirectory()
    await withStorage(directory, async (storage) => {
      const { epoch } = await storage.head(A)
      await append(storage, epoch, entriesOf(1, 60))
      await storage.replacePrefix(A, epoch, snapshotAt(30))
      await storage.replacePrefix(A, epoch, snapshotAt(59))
    })
    await withStorage(directory, async (storage) => {
      const { epoch, seq } = await storage.head(A)
      expect(seq).toBe(60)
      expect(await append(storage, epoch, entriesOf(61, 61))).toEqual([{ ok: true, firstSeq: 61 }])
      expect((await readAll(storage, A, epoch, 30)).map(plain)).toEqual(numbered(31, 61))
    })
  })
})

function plain(entry: LogEntry): LogEntry {
  return { ...entry, update: new Uint8Array(entry.update) }
}

function numberedFrom(first: number, entries: readonly NewEntry[]): readonly LogEntry[] {
  return entries.map((entry, position) => plain({ seq: first + position, ...entry }))
}

function lengths(entries: readonly NewEntry[]): readonly number[] {
  return [...groupedIntoRows(entries)].map((row) => row.length)
}

function append(storage: Storage, epoch: string, entries: readonly NewEntry[]): Promise<unknown> {
  return storage.append([{ name: A, epoch, entries }])
}

function snapshotAt(seq: number): Parameters<Storage['replacePrefix']>[2] {
  return { seq, update: Uint8Array.of(seq), index: Uint8Array.of(seq) }
}

/** A replacement is refused when its turn has come, which is behind the removal of what the one before it replaced. */
async function swept(storage: Storage, epoch: string): Promise<void> {
  expect(await storage.replacePrefix(A, epoch, snapshotAt(0))).toBe(false)
}

async function rowSeqs(directory: string): Promise<readonly number[]> {
  const keys = await withRows(directory, (level) =>
    level.keys({ gte: entryKey('a', 0, 0), lt: entryKey('a', 1, 0) }).all(),
  )
  return keys.map(seqOfEntryKey)
}

/** received at, length of the author, author, update, behind checksum and version. */
function firstRelease(seq: number, update: Uint8Array, author: string, at: number): Uint8Array {
  const head = Buffer.alloc(5 + 8 + 4)
  head[4] = 1
  head.writeDoubleBE(at, 5)
  head.writeUInt32BE(Buffer.byteLength(author), 13)
  return sealed(Buffer.concat([head, Buffer.from(author), update]), entryKey('a', 0, seq))
}

function sealed(row: Uint8Array, key: Uint8Array = KEY): Uint8Array {
  const value = Buffer.from(row)
  value.writeUInt32BE(crc32(value.subarray(4), crc32(key)), 0)
  return value
}

async function withStorage(
  directory: string,
  use: (storage: Storage) => Promise<void>,
): Promise<void> {
  const storage = levelStorage(directory)
  await storage.open()
  try {
    await use(storage)
  } finally {
    await storage.close()
  }
}
