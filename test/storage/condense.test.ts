import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CHUNK_BYTES, type Epoch } from '../../protocol/index.ts'
import { fold } from '../../src/log/fold.ts'
import { chunkKey, entryKey, manifestKey } from '../../src/storage/level-keys.ts'
import { levelStorage } from '../../src/storage/level-storage.ts'
import { asName, readAll, readSnapshot } from '../../src/storage/storage-scenes.ts'
import type { NewEntry, NewSnapshot, Storage } from '../../src/storage/storage.ts'
import { DocumentIndex } from '../../src/update/document-index.ts'
import { NO_SCAN_LIMITS } from '../../src/update/scan-limits.ts'
import { scanUpdate } from '../../src/update/update-scan.ts'
import { allKeys, flipBit } from '../support/storage-surgery.ts'
import { tempDirectory } from '../support/temp-directory.ts'
import { RandomWorld } from '../update/random-world.ts'

const A = asName('a')
const REPORT = 'a snapshot is damaged; the document was recovered from what came before'
/** The log of 40 entries is four times as large as a snapshot, and a sixteenth of a snapshot is two entries. */
const ENTRY_BYTES = 20_000
const LAST = 40

describe('[ST18] a document that is condensed', () => {
  test('has two copies of its newest snapshot and the end of its log, also after a restart', async () => {
    for (const previous of [[], [10]]) {
      const directory = await written(...previous, 38)
      const before = await sizeOf(directory)
      await withStorage(directory, async (storage, epoch) => {
        expect(await storage.condense!(A, epoch)).toBe(true)
        expect(await storage.head(A)).toMatchObject({ epoch, seq: LAST, snapshot: { seq: 38 } })
        await expectWhole(storage, epoch)
        // Nothing more is to be gained.
        expect(await storage.condense!(A, epoch)).toBe(false)
      })
      expect(await sizeOf(directory)).toBeLessThan(before * 0.6)
      await withStorage(directory, async (storage, epoch) => {
        const kept = (await readAll(storage, A, epoch)).map(({ seq }) => seq)
        expect(kept).toEqual([38, 39, 40])
        await storage.append([{ name: A, epoch, entries: [entry(41)] }])
        await expectWhole(storage, epoch)
        expect(await storage.replacePrefix(A, epoch, snapshotOf(41))).toBe(true)
        expect(await storage.readSnapshotChunk(A, epoch, 38, 0)).not.toBeNull()
        expect((await readAll(storage, A, epoch, 38)).map(({ seq }) => seq)).toEqual([39, 40, 41])
      })
    }
  })

  test('changes nothing where little would be gained, or it is another one by now', async () => {
    // Between these two are entries of less than half a snapshot.
    const directory = await written(36, 38)
    await withStorage(directory, async (storage, epoch) => {
      expect(await storage.condense!(A, epoch)).toBe(false)
      expect(await storage.condense!(A, `${epoch}-other`)).toBe(false)
      expect(await storage.condense!(asName('unwritten'), epoch)).toBe(false)
      expect(await storage.readSnapshotChunk(A, epoch, 36, 0)).not.toBeNull()
    })
  })

  test('while it is folded, written and deleted is whole or gone', async () => {
    const directory = await written(10, 38)
    await withStorage(directory, async (storage, epoch) => {
      await Promise.all([
        storage.condense!(A, epoch),
        storage.append([{ name: A, epoch, entries: [entry(41)] }]),
        storage.replacePrefix(A, epoch, snapshotOf(40)),
        storage.condense!(A, epoch),
      ])
      expect(await storage.head(A)).toMatchObject({ seq: 41, snapshot: { seq: 40 } })
      await expectWhole(storage, epoch)
      const condensing = storage.condense!(A, epoch)
      const next = await storage.delete(A)
      expect(await condensing).toBe(false)
      expect(await storage.head(A)).toEqual({ epoch: next, seq: 0, snapshot: null })
    })
    // Behind the sweep, which the close waited for.
    const keys = (await allKeys(directory)).filter((key) => key[0]! >= 2 && key[0]! <= 5)
    expect(keys).toEqual([])
  })
})

describe('T10 [ST13] [ST18] a damaged snapshot of a condensed document', () => {
  test.each([
    ['its manifest', manifestKey('a', 0, 38)],
    ['its first chunk', chunkKey('a', 0, 38, 0)],
    ['its index', chunkKey('a', 0, 38, 1)],
  ])('in %s: its copy stands in', async (_place, key) => {
    const directory = await written(10, 38)
    await withStorage(directory, (storage, epoch) => storage.condense!(A, epoch))
    await flipBit(directory, key)
    await withStorage(directory, async (storage, epoch, errors) => {
      await storage.readSnapshotChunk(A, epoch, 38, 0)
      const { seq, snapshot } = await storage.head(A)
      expect([seq, snapshot?.seq]).toEqual([LAST, 37])
      expect(snapshot?.index).toEqual(snapshotOf(38).index)
      expectBytes(await readSnapshot(storage, A, epoch, snapshot!), snapshotOf(38).update)
      expect((await readAll(storage, A, epoch, 37)).map((one) => one.seq)).toEqual([38, 39, 40])
      expect(errors).toEqual([REPORT])
      // Who has read half of the lost one must not read on in a copy.
      expect(await storage.replacePrefix(A, epoch, snapshotOf(39))).toBe(true)
      expect(await storage.condense!(A, epoch)).toBe(false)
      await expectWhole(storage, epoch)
    })
  })

  test('that is found before it is condensed: what came before it stays', async () => {
    const directory = await written(10, 38)
    await flipBit(directory, chunkKey('a', 0, 38, 0))
    await withStorage(directory, async (storage, epoch) => {
      await expect(storage.condense!(A, epoch)).rejects.toMatchObject({ code: 'record-damaged' })
      expect(await storage.readSnapshotChunk(A, epoch, 38, 0)).toBeNull()
      expect((await storage.head(A)).snapshot?.seq).toBe(10)
      await expectWhole(storage, epoch)
    })
  })

  test('in the copy harms nobody', async () => {
    const directory = await written(10, 38)
    await withStorage(directory, (storage, epoch) => storage.condense!(A, epoch))
    await flipBit(directory, chunkKey('a', 0, 37, 0))
    await withStorage(directory, async (storage, epoch, errors) => {
      await expectWhole(storage, epoch)
      expect(errors).toEqual([])
    })
    expect((await allKeys(directory)).map(hex)).toContain(hex(entryKey('a', 0, 38)))
  })

  test('T7 the entries behind its copy, which holds them already, change nothing', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const world = new RandomWorld(seed)
        const updates = Array.from({ length: 12 }, () => {
          const update = world.nextUpdate()
          world.accept(update)
          return update
        })
        const whole = fold({ snapshot: null, index: null, updates })
        const index = DocumentIndex.decode(whole.index)
        for (const update of updates) {
          const scan = scanUpdate(update, index, NO_SCAN_LIMITS)
          if (scan.verdict !== 'valid') expect.fail(scan.message)
          expect(index.covers(scan)).toBe(true)
        }
        const again = fold({ snapshot: whole.update, index: whole.index, updates })
        expect(DocumentIndex.decode(again.index).equals(index)).toBe(true)
      }),
      { numRuns: 200 },
    )
  })
})

function entry(seq: number): NewEntry {
  return { update: noise(seq, ENTRY_BYTES), author: 'ada', receivedAt: seq }
}

function snapshotOf(seq: number): NewSnapshot {
  return { seq, update: noise(seq, CHUNK_BYTES - 100), index: noise(seq + 1000, 99) }
}

/** Bytes that do not compress, the same for the same seed. */
function noise(seed: number, length: number): Uint8Array {
  let state = seed * 2_654_435_761
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state >>> 24
  })
}

function hex(key: Uint8Array): string {
  return Buffer.from(key).toString('hex')
}

/** Document a with forty entries and snapshots at these sequence numbers. */
async function written(...seqs: readonly number[]): Promise<string> {
  const directory = await tempDirectory()
  await withStorage(directory, async (storage, epoch) => {
    for (let seq = 1; seq <= LAST; seq++)
      await storage.append([{ name: A, epoch, entries: [entry(seq)] }])
    for (const seq of seqs) await storage.replacePrefix(A, epoch, snapshotOf(seq))
  })
  return directory
}

async function expectWhole(storage: Storage, epoch: Epoch): Promise<void> {
  const { seq, snapshot } = await storage.head(A)
  expectBytes(await readSnapshot(storage, A, epoch, snapshot!), snapshotOf(snapshot!.seq).update)
  const tail = await readAll(storage, A, epoch, snapshot!.seq)
  expect(tail.map((one) => one.seq)).toEqual(
    Array.from({ length: seq - snapshot!.seq }, (_, at) => snapshot!.seq + 1 + at),
  )
  for (const one of tail) expectBytes(one.update, entry(one.seq).update)
}

/** The general comparison takes seconds for half a megabyte. */
function expectBytes(actual: Uint8Array | null, expected: Uint8Array): void {
  expect(actual !== null && Buffer.compare(actual, expected) === 0).toBe(true)
}

/** Of all rows that are not removed. */
async function sizeOf(directory: string): Promise<number> {
  const storage = levelStorage(directory)
  await storage.open()
  const { epoch } = await storage.head(A)
  const bytes = (await readAll(storage, A, epoch)).reduce((sum, one) => sum + one.update.length, 0)
  await storage.close()
  const chunks = (await allKeys(directory)).filter((key) => key[0] === 4).length
  return bytes + (chunks / 2) * CHUNK_BYTES
}

async function withStorage(
  directory: string,
  use: (storage: Storage, epoch: Epoch, errors: readonly string[]) => Promise<unknown>,
): Promise<void> {
  const errors: string[] = []
  const ignore = (): void => undefined
  const error = (message: string): number => errors.push(message)
  const storage = levelStorage(directory, {
    logger: { debug: ignore, info: ignore, warn: ignore, error },
  })
  await storage.open()
  try {
    await use(storage, (await storage.head(asName('b'))).epoch, errors)
  } finally {
    await storage.close()
  }
}
