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
  expect(await cache.chunk(name, first, 1, 0)).toEqual(new Uint8Array([1]))
  const second = await storage.delete(name)
  await store(second, 2)
  expect(await cache.chunk(name, second, 1, 0)).toEqual(new Uint8Array([2]))
  await storage.close()
})
