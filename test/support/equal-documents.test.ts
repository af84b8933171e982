import { expect, test } from 'vitest'
import * as Y from 'yjs'
import { expectEqualDocuments } from './equal-documents.ts'
import { updateOf } from './raw-client.ts'

function copyOf(doc: Y.Doc): Y.Doc {
  const copy = new Y.Doc()
  Y.applyUpdate(copy, Y.encodeStateAsUpdate(doc))
  return copy
}

test('T17 the comparison that the tests use tells documents apart whose state vectors are equal', () => {
  const doc = new Y.Doc()
  doc.getText('body').insert(0, 'hello')
  const copy = copyOf(doc)
  expectEqualDocuments(copy, doc)
  doc.getText('body').delete(0, 2)
  expect(Y.encodeStateVector(copy)).toEqual(Y.encodeStateVector(doc))
  expect(() => expectEqualDocuments(copy, doc)).toThrow()
  expect(() => expectEqualDocuments(doc, copy)).toThrow()
})

test('T17 it tells a document apart that has parked what it could not integrate', () => {
  const doc = new Y.Doc()
  const updates = ['a', 'b', 'c'].map((letter) =>
    updateOf(doc, () => doc.getText('body').insert(0, letter)),
  )
  const complete = new Y.Doc()
  Y.applyUpdate(complete, updates[0]!)
  const waiting = copyOf(complete)
  Y.applyUpdate(waiting, updates[2]!)
  expect(() => expectEqualDocuments(waiting, complete)).toThrow()
})
