import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { DocumentIndex } from '../../src/update/document-index.ts'
import { diff, fold, merge, toJson } from '../../src/log/fold.ts'
import { expectEqualDocuments } from '../support/equal-documents.ts'
import { updateOf } from '../support/raw-client.ts'

function typed(): { doc: Y.Doc; updates: Uint8Array[] } {
  const doc = new Y.Doc()
  const updates = Array.from({ length: 100 }, (_, index) =>
    updateOf(doc, () => {
      doc.getText('body').insert(index, 'x')
      doc.getMap('map').set('key', index)
    }),
  )
  updates.push(updateOf(doc, () => doc.getText('body').delete(10, 80)))
  return { doc, updates }
}

function loaded(...updates: Uint8Array[]): Y.Doc {
  const doc = new Y.Doc()
  for (const update of updates) Y.applyUpdate(doc, update)
  return doc
}

function readJson(doc: Y.Doc): Record<string, unknown> {
  const updates = [Y.encodeStateAsUpdate(doc)]
  const bytes = toJson({ snapshot: null, index: null, updates })
  return JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>
}

describe('folding a log', () => {
  test('[LOG7] gives the same document without its garbage, and its exact index', () => {
    const { doc, updates } = typed()
    const folded = fold({ snapshot: null, index: null, updates })
    expectEqualDocuments(loaded(folded.update), doc)
    // Merging bytes keeps what was deleted.
    expect(folded.update.length).toBeLessThan(
      merge({ snapshot: null, index: null, updates }).length,
    )
    expect(DocumentIndex.decode(folded.index).stateVector()).toEqual(Y.encodeStateVector(doc))

    // The updates name all that they delete, unless two clients set a key without knowing of each other.
    expect(folded.hasFoundDeletes).toBe(false)
    const concurrent = [1, 2].map((value) =>
      updateOf(new Y.Doc(), (own) => own.getMap('map').set('key', value)),
    )
    expect(fold({ snapshot: null, index: null, updates: concurrent }).hasFoundDeletes).toBe(true)

    // Folding goes on from a snapshot.
    const half = fold({ snapshot: null, index: null, updates: updates.slice(0, 50) })
    const whole = fold({ snapshot: half.update, index: half.index, updates: updates.slice(50) })
    expectEqualDocuments(loaded(whole.update), doc)
    expect(DocumentIndex.decode(whole.index).equals(DocumentIndex.decode(folded.index))).toBe(true)
  })

  test('[LOG7] refuses a log with a hole, and a result that holds less than what it replaces', () => {
    const { updates } = typed()
    const withHole = updates.filter((_, index) => index !== 7)
    expect(() => fold({ snapshot: null, index: null, updates: withHole })).toThrow('does not scan')
    // The stored index says more than the snapshot has: something was lost on the way here.
    const all = fold({ snapshot: null, index: null, updates })
    const less = fold({ snapshot: null, index: null, updates: updates.slice(0, 50) })
    expect(() => fold({ snapshot: less.update, index: all.index, updates: [] })).toThrow(
      'holds less than the log',
    )
  })

  test('a diff against a state vector has what is missing, and every deletion', () => {
    const { doc, updates } = typed()
    const behind = loaded(...updates.slice(0, 60))
    const parts = { snapshot: null, index: null, updates }
    Y.applyUpdate(behind, diff(parts, Y.encodeStateVector(behind)))
    expectEqualDocuments(behind, doc)
  })

  test('JSON tells the kind of each shared type from its content', () => {
    const doc = new Y.Doc()
    doc.getText('text').insert(0, 'bold', { bold: true })
    doc.getText('erased').insert(0, 'x')
    doc.getText('erased').delete(0, 1)
    doc.getMap('map').set('nested', new Y.Map([['a', 1]]))
    doc.getArray('list').push([1, 'two', [3]])
    doc.getArray('maps').push([new Y.Map([['b', 2]])])
    doc.getXmlFragment('xml').insert(0, [new Y.XmlElement('p')])
    doc.getMap('__proto__').set('polluted', true)
    const json = readJson(doc)
    expect(Object.entries(json).sort(([a], [b]) => (a < b ? -1 : 1))).toEqual([
      ['__proto__', { polluted: true }],
      ['erased', ''],
      ['list', [1, 'two', [3]]],
      ['map', { nested: { a: 1 } }],
      ['maps', [{ b: 2 }]],
      ['text', 'bold'],
      ['xml', '<p></p>'],
    ])
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
  })

  test('[HTTP1] values that JSON does not have are written as strings', () => {
    const doc = new Y.Doc()
    const map = doc.getMap('map')
    map.set('bigint', 2n ** 60n)
    map.set('bytes', new Uint8Array([0, 255]))
    map.set('list', [1n, new Uint8Array([1])])
    map.set('nothing', undefined)
    expect(readJson(doc)).toEqual({
      map: { bigint: '1152921504606846976', bytes: 'AP8=', list: ['1', 'AQ=='] },
    })
  })
})
