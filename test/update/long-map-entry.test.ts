import * as Y from 'yjs'
import { expect, it } from 'vitest'
import { fold } from '../../src/log/fold.ts'
import { DocumentIndex } from '../../src/update/document-index.ts'
import { NO_SCAN_LIMITS } from '../../src/update/scan-limits.ts'
import { scanUpdate } from '../../src/update/update-scan.ts'

/** Yjs joins both deleted values into one item; the undo copies it whole, as one living item of two clocks. */
function undoneUpdates(): Uint8Array[] {
  const [author, undoer] = [new Y.Doc(), new Y.Doc()]
  const updates: Uint8Array[] = []
  for (const [from, to] of [
    [author, undoer],
    [undoer, author],
  ] as const)
    from.on('update', (update: Uint8Array, _origin: unknown, _doc: Y.Doc, transaction) => {
      if (!transaction.local) return
      updates.push(update)
      Y.applyUpdate(to, update, 'remote')
    })
  const undo = new Y.UndoManager(undoer.getMap('map'), { captureTimeout: Infinity })
  for (const value of ['one', 'two']) {
    author.getMap('map').set('key', value)
    undoer.getMap('map').delete('key')
  }
  undo.undo()
  expect(author.getMap('map').get('key')).toBe('two')
  return updates
}

it('T34 a log that holds a living map entry of several clocks is read and folded', () => {
  const updates = undoneUpdates()
  const index = new DocumentIndex()
  for (const update of updates) {
    const scan = scanUpdate(update, index, NO_SCAN_LIMITS)
    if (scan.verdict !== 'valid') expect.fail(scan.message)
    index.apply(scan)
  }
  const folded = fold({ snapshot: null, index: null, updates })
  expect(DocumentIndex.decode(folded.index).dominates(index)).toBe(true)
})

// Known: an honest undo is refused. To accept it, the index must know such entries, and refuse a delete of a part.
it.fails('T34 an undo of two deletes under one map key is accepted', () => {
  const index = new DocumentIndex()
  for (const update of undoneUpdates()) {
    const scan = scanUpdate(update, index)
    if (scan.verdict !== 'valid') expect.fail(scan.message)
    index.apply(scan)
  }
})
