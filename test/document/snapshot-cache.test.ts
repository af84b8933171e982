import { expect, test } from 'vitest'
import type { DocumentName, Epoch } from '../../protocol/index.ts'
import { SnapshotCache } from '../../src/document/snapshot-cache.ts'
import { memoryStorage } from '../../src/storage/memory-storage.ts'

test('T15 a chunk of a deleted document is never given to readers of the next one, whose snapshot has the same number', async () => {
  const storage = memoryStorage()
  await storage.open()
  const cache = new SnapshotCache(storage, 1_000_000)
  const name = 'a' as DocumentName
  const store = async (epoch: Epoch, byte: number): Promise<void> => {
    const entries = [{ update: new Uint8Array([byte]), author: null, receivedAt: 0 }]
    await storage.append([{ name, epoch, entries }])
    const update = new Uint8Array([byte])
    await storage.replacePrefix(name, epoch, { seq: 1, update, index: new Uint8Array([0]) })
  }
  const first = (await storage.head(name)).epoch
  await store(first, 1)
  // It is kept from the second time on.
  for (let asked = 0; asked < 3; asked++)
    expect(await cache.chunk(name, first, 1, 0)).toEqual(new Uint8Array([1]))
  const second = await storage.delete(name)
  await store(second, 2)
  expect(await cache.chunk(name, second, 1, 0)).toEqual(new Uint8Array([2]))
  await storage.close()
})

test('a chunk is kept once it was asked for twice: one after the other, or by two who share one read', async () => {
  const storage = memoryStorage()
  let reads = 0
  storage.readSnapshotChunk = (_name, _epoch, _seq, chunk) => {
    reads++
    return Promise.resolve(new Uint8Array([chunk]))
  }
  const cache = new SnapshotCache(storage, 1_000_000)
  const ask = async (chunk: number): Promise<number> => {
    const before = reads
    expect(await cache.chunk('a' as DocumentName, 'epoch-1', 7, chunk)).toEqual(
      new Uint8Array([chunk]),
    )
    return reads - before
  }
  expect([await ask(0), await ask(0), await ask(0), await ask(0)]).toEqual([1, 1, 0, 0])
  const together = await Promise.all([ask(1), ask(1)])
  expect([together, await ask(1)]).toEqual([[1, 0], 0])

  // Those that nobody has asked for in a long time are not remembered.
  await ask(2)
  for (let chunk = 10; chunk < 4106; chunk++) await ask(chunk)
  expect([await ask(2), await ask(2), await ask(2)]).toEqual([1, 1, 0])
  expect(await ask(10)).toBe(1)
})
