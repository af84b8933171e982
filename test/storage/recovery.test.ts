import { describe, expect, test } from 'vitest'
import { CHUNK_BYTES } from '../../protocol/index.ts'
import { decodeChunk, threadPoolCodec } from '../../src/storage/chunk-records.ts'
import { chunkKey, entryKey, manifestKey } from '../../src/storage/level-keys.ts'
import { levelStorage } from '../../src/storage/level-storage.ts'
import { encodeBytes } from '../../src/storage/records.ts'
import { asName, entriesOf, readAll, readSnapshot } from '../../src/storage/storage-scenes.ts'
import type { NewSnapshot, Storage } from '../../src/storage/storage.ts'
import { allKeys, flipBit, withRows } from '../support/storage-surgery.ts'
import { tempDirectory } from '../support/temp-directory.ts'

const A = asName('a')
const DAMAGED = { code: 'record-damaged', message: expect.stringContaining('document "a"') }
const REPORT = 'a snapshot is damaged; the document was recovered from what came before'

/** Where a snapshot of three chunks and one of index can be harmed. */
const PLACES: readonly (readonly [string, (seq: number) => Uint8Array])[] = [
  ['its manifest', (seq) => manifestKey('a', 0, seq)],
  ['its first chunk', (seq) => chunkKey('a', 0, seq, 0)],
  ['its last chunk', (seq) => chunkKey('a', 0, seq, 2)],
  ['its index', (seq) => chunkKey('a', 0, seq, 3)],
]
const HARMS = ['flip', 'remove'] as const

describe('T10 [ST13] a damaged newest snapshot', () => {
  test.each(PLACES)('in %s: the document comes back from the one before', async (_place, keyOf) => {
    for (const harm of HARMS) {
      const directory = await folded(4, 8)
      await harmRow(directory, keyOf(8), harm)
      await expectRecovered(directory, 4)
    }
  })

  test.each(PLACES)(
    'in %s, and it is the first: the document comes back from its log',
    async (_place, keyOf) => {
      for (const harm of HARMS) {
        const directory = await folded(8)
        await harmRow(directory, keyOf(8), harm)
        await expectRecovered(directory, 0)
      }
    },
  )

  test.each(PLACES)(
    'with the one before damaged in %s is a rejection, whatever is read',
    async (_place, keyOf) => {
      for (const harm of HARMS) {
        const directory = await folded(4, 8)
        await harmRow(directory, chunkKey('a', 0, 8, 1), harm)
        await harmRow(directory, keyOf(4), harm)
        await withStorage(directory, async (storage) => {
          const { epoch } = await storage.head(asName('b'))
          await expect(storage.readSnapshotChunk(A, epoch, 8, 1)).rejects.toMatchObject(DAMAGED)
          await expect(storage.readSnapshotChunk(A, epoch, 8, 1)).rejects.toMatchObject(DAMAGED)
        })
      }
    },
  )

  test('with an entry after the one before missing is a rejection', async () => {
    const directory = await folded(4, 8)
    await harmRow(directory, manifestKey('a', 0, 8), 'flip')
    await harmRow(directory, entryKey('a', 0, 6), 'flip')
    await withStorage(directory, async (storage) => {
      await expect(storage.head(A)).rejects.toMatchObject(DAMAGED)
      const epoch = await storage.delete(A)
      expect(await storage.head(A)).toEqual({ epoch, seq: 0, snapshot: null })
    })
  })

  test('is gone for who was reading it, and never another under the same sequence number', async () => {
    const directory = await folded(4, 8)
    await harmRow(directory, chunkKey('a', 0, 8, 1), 'flip')
    await withStorage(directory, async (storage) => {
      const { epoch, snapshot } = await storage.head(A)
      expect(snapshot?.seq).toBe(8)
      expectBytes(
        await storage.readSnapshotChunk(A, epoch, 8, 0),
        snapshotOf(8).update.subarray(0, CHUNK_BYTES),
      )
      const [one, other] = await Promise.all([
        storage.readSnapshotChunk(A, epoch, 8, 1),
        storage.readSnapshotChunk(A, epoch, 8, 2),
      ])
      expect(one).toBeNull()
      expect(other === null || other.length === 100).toBe(true)
      expect(await storage.readSnapshotChunk(A, epoch, 8, 0)).toBeNull()
      expect(await storage.replacePrefix(A, epoch, snapshotOf(8))).toBe(false)
    })
    await withStorage(directory, async (storage) => {
      const { epoch } = await storage.head(A)
      expect(await storage.replacePrefix(A, epoch, snapshotOf(8))).toBe(false)
      expect(await storage.replacePrefix(A, epoch, snapshotOf(9))).toBe(true)
      expect((await storage.head(A)).snapshot?.seq).toBe(9)
    })
  })

  test('while others read, write and fold: everybody finds one whole document', async () => {
    const directory = await folded(4, 8)
    await harmRow(directory, manifestKey('a', 0, 8), 'flip')
    await withStorage(directory, async (storage, errors) => {
      const { epoch } = await storage.head(asName('b'))
      const results = await Promise.all([
        storage.head(A),
        storage.append([{ name: A, epoch, entries: entriesOf(11, 11) }]),
        storage.head(A),
        storage.replacePrefix(A, epoch, snapshotOf(10)),
        storage.readSnapshotChunk(A, epoch, 8, 0),
        storage.head(A),
      ])
      expect(results[1]).toEqual([{ ok: true, firstSeq: 11 }])
      const head = await storage.head(A)
      expect(head.seq).toBe(11)
      expect([4, 10]).toContain(head.snapshot?.seq)
      await expectWhole(storage)
      expect(errors.filter((message) => message === REPORT).length).toBeLessThanOrEqual(1)
    })
  })

  test('whose chunk is one of an earlier attempt is damage: the same fold need not give the same bytes', async () => {
    for (const number of [1, 3]) {
      const directory = await folded(4, 8)
      const key = chunkKey('a', 0, 8, number)
      await withRows(directory, async (level) => {
        const place = { name: 'a', what: 'chunk' }
        const { length } = await decodeChunk(threadPoolCodec, key, (await level.get(key))!, place)
        await level.put(key, encodeBytes(key, new Uint8Array(length).fill(77)))
      })
      await expectRecovered(directory, 4)
    }
  })

  test('that is not the newest any more harms nobody', async () => {
    const directory = await folded(4, 8)
    await harmRow(directory, chunkKey('a', 0, 4, 1), 'flip')
    await withStorage(directory, async (storage, errors) => {
      const { epoch } = await storage.head(A)
      expect(await storage.readSnapshotChunk(A, epoch, 4, 1)).toBeNull()
      await expectWhole(storage)
      expect(errors).toEqual([])
    })
  })
})

/** Document a with ten entries and snapshots at these sequence numbers. */
async function folded(...seqs: readonly number[]): Promise<string> {
  const directory = await tempDirectory()
  await withStorage(directory, async (storage) => {
    const { epoch } = await storage.head(A)
    await storage.append([{ name: A, epoch, entries: entriesOf(1, 10) }])
    for (const seq of seqs) await storage.replacePrefix(A, epoch, snapshotOf(seq))
  })
  return directory
}

function snapshotOf(seq: number): NewSnapshot {
  const update = new Uint8Array(2 * CHUNK_BYTES + 100).fill(seq)
  return { seq, update, index: new Uint8Array(9).fill(seq) }
}

async function harmRow(directory: string, key: Uint8Array, harm: 'flip' | 'remove'): Promise<void> {
  if (harm === 'flip') await flipBit(directory, key)
  else await withRows(directory, (level) => level.del(key))
}

/** Reading finds the damage, wherever it is, and then the document whole from `seq` on, also after a restart. */
async function expectRecovered(directory: string, seq: number): Promise<void> {
  await withStorage(directory, async (storage, errors) => {
    const before = await storage.head(A)
    if (before.snapshot?.seq === 8)
      expect(await readSnapshot(storage, A, before.epoch, before.snapshot)).toBeNull()
    const after = await storage.head(A)
    expect([after.epoch, after.seq, after.snapshot?.seq ?? 0]).toEqual([before.epoch, 10, seq])
    await expectWhole(storage)
    expect(errors).toEqual([REPORT])
    await storage.append([{ name: A, epoch: after.epoch, entries: entriesOf(11, 12) }])
  })
  await withStorage(directory, async (storage, errors) => {
    const { epoch, seq: head, snapshot } = await storage.head(A)
    expect([head, snapshot?.seq ?? 0]).toEqual([12, seq])
    await expectWhole(storage)
    expect(await storage.replacePrefix(A, epoch, snapshotOf(11))).toBe(true)
    await expectWhole(storage)
    expect(errors).toEqual([])
  })
  // Of the damaged snapshot nothing is left.
  const keys = (await allKeys(directory)).map((key) => Buffer.from(key).toString('hex'))
  expect(keys).not.toContain(Buffer.from(manifestKey('a', 0, 8)).toString('hex'))
}

async function expectWhole(storage: Storage): Promise<void> {
  const { epoch, seq, snapshot } = await storage.head(A)
  if (snapshot !== null)
    expectBytes(await readSnapshot(storage, A, epoch, snapshot), snapshotOf(snapshot.seq).update)
  const after = snapshot?.seq ?? 0
  expect((await readAll(storage, A, epoch, after)).map((entry) => entry.seq)).toEqual(
    Array.from({ length: seq - after }, (_, position) => after + 1 + position),
  )
}

/** The general comparison takes seconds for half a megabyte. */
function expectBytes(actual: Uint8Array | null, expected: Uint8Array): void {
  expect(actual !== null && Buffer.compare(actual, expected) === 0).toBe(true)
}

async function withStorage(
  directory: string,
  use: (storage: Storage, errors: readonly string[]) => Promise<void>,
): Promise<void> {
  const errors: string[] = []
  const ignore = (): void => undefined
  const error = (message: string): number => errors.push(message)
  const storage = levelStorage(directory, {
    logger: { debug: ignore, info: ignore, warn: ignore, error },
  })
  await storage.open()
  try {
    await use(storage, errors)
  } finally {
    await storage.close()
  }
}
