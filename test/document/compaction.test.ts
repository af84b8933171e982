import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { Compaction } from '../../src/document/compaction.ts'
import type { OpenDocument } from '../../src/document/open-document.ts'
import type { DocumentWorker } from '../../src/log/document-worker.ts'
import { memoryStorage } from '../../src/storage/memory-storage.ts'
import { asName, entriesOf, readAll } from '../../src/storage/storage-scenes.ts'
import { tempDirectory } from '../support/temp-directory.ts'

const A = asName('a')

describe('a fold that fails', () => {
  test('T7 loses nothing, is told, and is not tried again before the log has doubled', async () => {
    const storage = memoryStorage()
    await storage.open()
    const { epoch } = await storage.head(A)
    await storage.append([{ name: A, epoch, entries: entriesOf(1, 10) }])
    let folds = 0
    const fold = (): Promise<never> => Promise.reject(new Error(`worker died ${++folds}`))
    const errors: unknown[] = []
    const ignore = (): void => undefined
    let failures = 0
    const compaction = new Compaction({
      storage,
      worker: { fold } as Partial<DocumentWorker> as DocumentWorker,
      logger: {
        debug: ignore,
        info: ignore,
        warn: ignore,
        error: (_message, fields) => errors.push(fields),
      },
      afterBytes: 2 ** 30,
      afterEntries: 5,
      handleFailed: () => failures++,
    })
    const document = { name: A, epoch, head: 10, snapshot: null, tailEntries: 10, tailBytes: 0 }
    const asOpen = document as Partial<OpenDocument> as OpenDocument
    for (let tailEntries = 10; tailEntries <= 100; tailEntries++) {
      document.tailEntries = tailEntries
      compaction.consider(asOpen)

      await compaction.whenIdle()
    }
    // With 10, 20, 40 and 80 entries.
    expect([folds, failures, errors.length]).toEqual([4, 4, 4])
    expect(errors[0]).toMatchObject({ document: 'a', error: expect.any(Error) })
    expect(await readAll(storage, A, epoch)).toHaveLength(10)
  })

  test('a log that does not scan, and a thread that runs out of memory, fail that fold and not the next', async () => {
    const directory = await tempDirectory()
    const large = new Y.Doc()
    const map = large.getMap<number>('map')
    large.transact(() => {
      for (let key = 0; key < 300_000; key++) map.set(`key ${key}`, key)
    })
    const small = new Y.Doc()
    small.getText('body').insert(0, 'small')
    const [largeFile, smallFile] = ['large', 'small'].map((name) => join(directory, name))
    await writeFile(largeFile!, Y.encodeStateAsUpdate(large))
    await writeFile(smallFile!, Y.encodeStateAsUpdate(small))
    const { stdout } = await promisify(execFile)(process.execPath, [
      // A thread's memory is bounded like that of the process.
      '--max-old-space-size=48',
      'test/fixtures/fold-child.mjs',
      largeFile!,
      smallFile!,
    ])
    expect(JSON.parse(stdout)).toEqual([
      expect.stringContaining('does not scan'),
      'ERR_WORKER_OUT_OF_MEMORY',
      'folded',
    ])
  })
})
