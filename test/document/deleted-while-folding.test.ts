import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { asName } from '../../src/storage/storage-scenes.ts'
import { memoryStorage } from '../../src/storage/memory-storage.ts'
import type { DocumentWorker } from '../../src/log/document-worker.ts'
import type { OpenDocument } from '../../src/document/open-document.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { DocumentIndex } from '../../src/update/document-index.ts'
import { Compaction } from '../../src/document/compaction.ts'
import { updateOf } from '../support/raw-client.ts'

const NAME = asName('folded')

const NO_FOLD: DocumentWorker['fold'] = () => Promise.reject(new Error('no fold'))
const AS_IT_IS: DocumentWorker['fold'] = ({ updates }) => {
  const [update] = updates
  return Promise.resolve({
    update: update!,
    index: new DocumentIndex().encode(),
    hasFoundDeletes: true,
  })
}

/** Runs one fold; `beforeReading` happens between the look at the head and the read of the log. */
async function foldWhile(
  beforeReading: (storage: Storage) => Promise<unknown>,
  fold = NO_FOLD,
): Promise<string[]> {
  const storage = memoryStorage()
  await storage.open()
  const { epoch } = await storage.head(NAME)
  const update = updateOf(new Y.Doc(), (doc) => doc.getText('text').insert(0, 'a'))
  await storage.append([{ name: NAME, epoch, entries: [{ update, author: null, receivedAt: 0 }] }])
  const errors: string[] = []
  const ignore = (): void => undefined
  const readEntries = storage.readEntries.bind(storage)
  storage.readEntries = async (...args) => {
    await beforeReading(storage)
    return readEntries(...args)
  }
  const compaction = new Compaction({
    storage,
    worker: { fold } as unknown as DocumentWorker,
    logger: { debug: ignore, info: ignore, warn: ignore, error: (message) => errors.push(message) },
    afterBytes: 1024,
    afterEntries: 1,
    handleFailed: () => undefined,
  })
  const document = { name: NAME, epoch, head: 1, tailEntries: 1, markStale: () => undefined }
  await compaction.run(document as unknown as OpenDocument)
  return errors
}

describe('a fold', () => {
  test('whose document is deleted while it is read reports no damage', async () => {
    expect(await foldWhile((storage) => storage.delete(NAME))).toEqual([])
  })

  test('that fails is reported, and the log stays', async () => {
    const errors = await foldWhile(() => Promise.resolve())
    expect(errors).toEqual(['compaction failed; the log stays as it is'])
  })

  test('whose snapshot the storage does not confirm is not said to have left the log as it is', async () => {
    const errors = await foldWhile((storage) => {
      storage.replacePrefix = () => Promise.reject(new Error('no answer'))
      return Promise.resolve()
    }, AS_IT_IS)
    expect(errors).toEqual([expect.stringContaining('whether it is stored is seen')])
  })

  test('whose snapshot is stored before something fails says so', async () => {
    const errors = await foldWhile((storage) => {
      const { replacePrefix } = storage
      storage.replacePrefix = async (...args) => {
        storage.head = () => Promise.reject(new Error('no answer'))
        return replacePrefix.apply(storage, args)
      }
      return Promise.resolve()
    }, AS_IT_IS)
    expect(errors).toEqual([expect.stringContaining('a snapshot is stored')])
  })
})
