import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import type { threadWorker } from '../../src/log/document-worker.ts'
import { forge, textItem } from '../update/forged-update.ts'

/** Built: a worker thread runs no TypeScript. */
const built = fileURLToPath(new URL('../../dist/src/log/document-worker.js', import.meta.url))

test('T34 [LOG10] a document that Yjs takes for ever to fold is given up; others are folded after it', async () => {
  const { threadWorker: makeWorker } = (await import(built)) as {
    threadWorker: typeof threadWorker
  }
  const worker = makeWorker(15_000)
  onTestFinished(() => worker.close())
  const length = 100_000
  // Every item lies, by its own account, between the beginning and a letter further left: Yjs walks over all between.
  const letters = Array.from({ length }, (_, clock) =>
    textItem('x', clock === 0 ? { parent: 't' } : { origin: [1, clock - 1] }),
  )
  const between = Array.from({ length }, (_, clock) =>
    textItem('y', { rightOrigin: [1, length - 1 - clock] }),
  )
  const hostile = [
    forge({ sections: [{ client: 1, clock: 0, structs: letters }] }),
    forge({ sections: [{ client: 2, clock: 0, structs: between }] }),
  ]
  const doc = new Y.Doc()
  doc.getText('body').insert(0, 'honest')
  const [given, folded] = await Promise.allSettled([
    worker.fold({ snapshot: null, index: null, updates: hostile }),
    worker.fold({ snapshot: null, index: null, updates: [Y.encodeStateAsUpdate(doc)] }),
  ])
  expect(given.status).toBe('rejected')
  expect(folded.status).toBe('fulfilled')
})
