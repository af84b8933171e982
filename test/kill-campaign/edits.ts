import * as Y from 'yjs'
import { updateOf } from '../support/raw-client.ts'
import type { Random } from './random.ts'

const KEYS = Array.from({ length: 12 }, (_, number) => `key ${number}`)
const WORDS = ['alpha ', 'béta ', '漢字 ', '🙂 ', 'x', 'a longer run of text, typed at once. ']
/** A text beyond this is rather shortened, so that the documents of a long episode stay small. */
const LONG_TEXT = 4000

type Edit = (doc: Y.Doc, random: Random) => void

const insertText: Edit = (doc, random) => {
  const text = doc.getText('text')
  text.insert(random.int(0, text.length), random.pick(WORDS).repeat(random.int(1, 3)))
}

const deleteText: Edit = (doc, random) => {
  const text = doc.getText('text')
  if (text.length === 0) return
  const start = random.int(0, text.length - 1)
  const most = text.length > LONG_TEXT ? LONG_TEXT : 30
  text.delete(start, Math.min(random.int(1, most), text.length - start))
}

const setKey: Edit = (doc, random) => {
  doc
    .getMap('map')
    .set(random.pick(KEYS), random.chance(0.5) ? random.int(0, 1e9) : { of: [1, 'two'] })
}

const deleteKey: Edit = (doc, random) => {
  doc.getMap('map').delete(random.pick(KEYS))
}

const insertItem: Edit = (doc, random) => {
  const array = doc.getArray<unknown>('array')
  const item = random.chance(0.3) ? new Y.Map([['n', random.int(0, 99)]]) : random.int(0, 1e6)
  array.insert(random.int(0, array.length), [item])
}

const deleteItem: Edit = (doc, random) => {
  const array = doc.getArray<unknown>('array')
  if (array.length > 0) array.delete(random.int(0, array.length - 1), 1)
}

const insertElement: Edit = (doc, random) => {
  const fragment = doc.getXmlFragment('xml')
  const element = new Y.XmlElement('p')
  element.setAttribute('level', String(random.int(1, 6)))
  element.insert(0, [new Y.XmlText(random.pick(WORDS))])
  if (fragment.length > 30) fragment.delete(0, 10)
  fragment.insert(random.int(0, fragment.length), [element])
}

// No formatting: Yjs replicas remove redundant marks each by itself, so that equal documents differ in their deletions.
const EDITS: readonly Edit[] = [
  insertText,
  insertText,
  insertText,
  deleteText,
  setKey,
  deleteKey,
  insertItem,
  deleteItem,
  insertElement,
]
const DELETE_ONLY: readonly Edit[] = [deleteText, deleteKey, deleteItem]

/** One transaction of random edits, as its update; null when it changed nothing. */
export function randomEdit(doc: Y.Doc, random: Random): Uint8Array | null {
  const isLong = doc.getText('text').length > LONG_TEXT
  const edits = random.chance(isLong ? 0.6 : 0.2) ? DELETE_ONLY : EDITS
  const count = random.chance(0.2) ? random.int(2, 8) : 1
  return changeOf(doc, () => {
    for (let done = 0; done < count; done++) random.pick(edits)(doc, random)
  })
}

/** A paste of so many characters, into a text of its own. */
export function paste(doc: Y.Doc, random: Random, characters: number): Uint8Array | null {
  // Not one character repeated: LevelDB compresses.
  let pasted = ''
  while (pasted.length < characters) pasted += random.next().toString(36)
  return changeOf(doc, () => {
    const text = doc.getText('pasted')
    if (text.length > 1_500_000) text.delete(0, text.length)
    text.insert(random.int(0, text.length), pasted)
  })
}

function changeOf(doc: Y.Doc, change: () => void): Uint8Array | null {
  return (updateOf(doc, change) as Uint8Array | undefined) ?? null
}

/** All that an application sees of a document, independent of the order in which keys were set. */
export function contentOf(doc: Y.Doc): string {
  const content = {
    text: doc.getText('text').toDelta() as unknown,
    pasted: doc.getText('pasted').toDelta() as unknown,
    map: doc.getMap('map').toJSON(),
    array: doc.getArray('array').toJSON(),
    xml: doc.getXmlFragment('xml').toString(),
  }
  return JSON.stringify(content, (_key, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  )
}
