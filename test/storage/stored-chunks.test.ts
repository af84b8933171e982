import { expect, test } from 'vitest'
import { CHUNK_BYTES, type DocumentName } from '../../protocol/index.ts'
import { deflateChunks, inflateChunks } from '../../src/storage/chunk-records.ts'
import { levelStorage } from '../../src/storage/level-storage.ts'
import type { Storage, StoredChunk } from '../../src/storage/storage.ts'
import { makeTempDirectory, removeDirectory } from '../support/temp-directory.ts'

const A = 'a' as DocumentName
const UPDATE = new TextEncoder().encode('a text '.repeat(CHUNK_BYTES / 3))
const INDEX = new Uint8Array([1, 2, 3])

test('[ST7] [ST8] a snapshot deflated beforehand is read as it is stored, and inflated', async () => {
  const directory = await makeTempDirectory()
  const storage: Storage = levelStorage(directory)
  await storage.open()
  try {
    const { epoch } = await storage.head(A)
    const entry = { update: UPDATE, author: null, receivedAt: 0 }
    await storage.append([{ name: A, epoch, entries: [entry] }])
    const deflatedChunks = deflateChunks(UPDATE, INDEX)
    await storage.replacePrefix(A, epoch, { seq: 1, update: UPDATE, index: INDEX, deflatedChunks })
    expect((await storage.head(A)).snapshot?.index).toEqual(INDEX)
    const chunks: StoredChunk[] = []
    for (let number = 0; number * CHUNK_BYTES < UPDATE.length; number++) {
      const start = number * CHUNK_BYTES
      expect(await storage.readSnapshotChunk(A, epoch, 1, number)).toEqual(
        UPDATE.slice(start, start + CHUNK_BYTES),
      )
      const chunk = await storage.readStoredChunk?.(A, epoch, 1, number)
      expect(chunk?.isDeflated).toBe(true)
      // Nobody else's, to be given to another thread: read again, it is another one.
      const again = await storage.readStoredChunk?.(A, epoch, 1, number)
      expect(again?.bytes.buffer).not.toBe(chunk?.bytes.buffer)
      chunks.push(chunk as StoredChunk)
    }
    expect(inflateChunks(chunks, UPDATE.length)).toEqual(UPDATE)
    expect(() => inflateChunks(chunks, UPDATE.length + 1)).toThrow(RangeError)
    expect(() => inflateChunks(chunks.slice(1), UPDATE.length)).toThrow(RangeError)
    expect(await storage.readStoredChunk?.(A, epoch, 1, chunks.length)).toBe(null)
    expect(await storage.readStoredChunk?.(A, epoch, 2, 0)).toBe(null)
  } finally {
    await storage.close()
    await removeDirectory(directory)
  }
})
