import { Level } from 'level'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { CHUNK_BYTES } from '../../protocol/index.ts'
import { levelStorage } from '../../src/storage/level-storage.ts'
import { asName, entriesOf, readAll } from '../../src/storage/storage-scenes.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { allKeys } from '../support/storage-surgery.ts'
import { tempDirectory } from '../support/temp-directory.ts'

const A = asName('a')
const failure = Object.assign(new Error('IO error: no space left'), { code: 'LEVEL_IO_ERROR' })
const batch = Level.prototype.batch as (...given: unknown[]) => Promise<void>

afterEach(() => void vi.restoreAllMocks())

describe('writing', () => {
  test('T8 [ST3] after a failed write heads are those of the disk, and writing goes on', async () => {
    const { storage, epoch } = await opened()
    await append(storage, epoch, 1)
    const opening = vi.spyOn(Level.prototype, 'open')
    vi.spyOn(Level.prototype, 'batch').mockRejectedValueOnce(failure as never)
    const outcomes = await Promise.allSettled([
      append(storage, epoch, 2),
      append(storage, epoch, 3),
    ])
    expect(outcomes[0]).toMatchObject({
      status: 'rejected',
      reason: { code: 'storage-unavailable' },
    })
    // LevelDB writes nothing more after a failed fsync until it is opened anew.
    expect(opening).toHaveBeenCalledOnce()
    const { seq } = await storage.head(A)
    expect((await readAll(storage, A, epoch)).map((entry) => entry.seq)).toEqual(counted(seq))
    await append(storage, epoch, seq + 1)
    expect(await readAll(storage, A, epoch)).toHaveLength(seq + 1)
  })

  test('T8 a failed write that reached the disk all the same is not overwritten', async () => {
    const { storage, epoch } = await opened()
    await append(storage, epoch, 1)
    vi.spyOn(Level.prototype, 'batch').mockImplementationOnce(async function (
      this: unknown,
      ...given: unknown[]
    ) {
      await Reflect.apply(batch, this, given)
      throw failure
    } as never)
    await expect(append(storage, epoch, 2)).rejects.toMatchObject({ code: 'storage-unavailable' })
    expect((await storage.head(A)).seq).toBe(2)
    expect(await storage.append([{ name: A, epoch, entries: entriesOf(3, 3) }])).toEqual([
      { ok: true, firstSeq: 3 },
    ])
    expect(await readAll(storage, A, epoch)).toHaveLength(3)
  })

  test('T8 while the database cannot be opened anew every call is refused; then all is as before', async () => {
    const { storage, epoch } = await opened()
    await append(storage, epoch, 1)
    const opening = vi.spyOn(Level.prototype, 'open').mockRejectedValue(failure)
    vi.spyOn(Level.prototype, 'batch').mockRejectedValueOnce(failure as never)
    await expect(append(storage, epoch, 2)).rejects.toMatchObject({ code: 'storage-unavailable' })
    await expect(storage.head(A)).rejects.toMatchObject({
      code: 'storage-unavailable',
      message: expect.stringContaining('no space'),
    })
    await expect(append(storage, epoch, 2)).rejects.toMatchObject({ code: 'storage-unavailable' })
    await expect(storage.list({ limit: 1 })).rejects.toMatchObject({ code: 'storage-unavailable' })
    opening.mockRestore()
    await append(storage, epoch, 2)
    expect(await readAll(storage, A, epoch)).toHaveLength(2)
  })

  test('T8 a snapshot that cannot be stored leaves the one before; the next attempt cleans up', async () => {
    const { storage, epoch, directory } = await opened()
    await storage.append([{ name: A, epoch, entries: entriesOf(1, 10) }])
    const update = new Uint8Array(9 * CHUNK_BYTES)
    let calls = 0
    const failing = vi.spyOn(Level.prototype, 'batch').mockImplementation(function (
      this: unknown,
      ...given: unknown[]
    ) {
      return ++calls === 2 ? Promise.reject(failure) : Reflect.apply(batch, this, given)
    } as never)
    const index = new Uint8Array(1)
    const refused = storage.replacePrefix(A, epoch, { seq: 10, update, index })
    await expect(refused).rejects.toMatchObject({ code: 'storage-unavailable' })
    failing.mockRestore()
    expect((await storage.head(A)).snapshot).toBeNull()
    const small = { seq: 10, update: new Uint8Array(5), index }
    expect(await storage.replacePrefix(A, epoch, small)).toBe(true)
    await storage.delete(A)
    await storage.close()
    // A fresh start finishes what the close has cut short.
    const restarted = levelStorage(directory)
    await restarted.open()
    // It is refused, but only when its turn has come: behind the sweep.
    expect(await restarted.replacePrefix(A, epoch, small)).toBe(false)
    await restarted.close()
    // The format record, its copy, and the tombstone.
    expect(await allKeys(directory)).toHaveLength(3)
  })

  test('[ST3] overlapping appends share a write; strict ones wait for the disk, relaxed ones do not', async () => {
    for (const durability of ['strict', 'relaxed'] as const) {
      const { storage, epoch } = await opened(durability)
      const writes = vi.spyOn(Level.prototype, 'batch')
      await Promise.all(counted(100).map((seq) => append(storage, epoch, seq)))
      expect(writes.mock.calls.length).toBeLessThanOrEqual(3)
      for (const [, options] of writes.mock.calls as unknown as [unknown, unknown][])
        expect(options).toEqual({ sync: durability === 'strict' })
      writes.mockRestore()
    }
  })

  test('[ST8] a keystroke gets through while a large snapshot is stored', async () => {
    const { storage, epoch } = await opened()
    await append(storage, epoch, 1)
    let isReplaced = false
    const update = new Uint8Array(40 * CHUNK_BYTES)
    const replacing = storage
      .replacePrefix(A, epoch, { seq: 1, update, index: new Uint8Array() })
      .finally(() => (isReplaced = true))
    await append(storage, epoch, 2)
    expect(isReplaced).toBe(false)
    expect(await replacing).toBe(true)
  })
})

async function opened(
  durability: 'strict' | 'relaxed' = 'strict',
): Promise<{ storage: Storage; epoch: string; directory: string }> {
  const directory = await tempDirectory()
  const storage = levelStorage(directory, { durability })
  await storage.open()
  return { storage, directory, epoch: (await storage.head(A)).epoch }
}

async function append(storage: Storage, epoch: string, seq: number): Promise<void> {
  const [outcome] = await storage.append([{ name: A, epoch, entries: entriesOf(seq, seq) }])
  expect(outcome).toEqual({ ok: true, firstSeq: seq })
}

function counted(count: number): readonly number[] {
  return Array.from({ length: count }, (_, position) => position + 1)
}
