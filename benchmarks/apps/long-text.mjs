import * as Y from 'yjs'
import { randomNumbers } from '../documents.mjs'

const WORDS = 'the river carries what the hills let go and nobody upstream is asked about it'.split(
  ' ',
)
/** Characters of a paragraph, as in prose. */
const PARAGRAPH = 400

/** A rich text of about so many encoded bytes: chapters of twelve paragraphs, some of them with a bold word. */
export function textOf(bytes) {
  const doc = new Y.Doc()
  const random = randomNumbers(4)
  const blocks = []
  for (let length = 0, index = 0; length < bytes * 0.9; index++) {
    const isHeading = index % 13 === 0
    const block = isHeading ? heading(`Chapter ${index / 13 + 1}`) : paragraph(random)
    length += isHeading ? 60 : PARAGRAPH + 40
    blocks.push(block)
  }
  doc.getXmlFragment('default').insert(0, blocks)
  return Y.encodeStateAsUpdate(doc)
}

function heading(title) {
  const element = new Y.XmlElement('heading')
  element.setAttribute('level', 2)
  element.insert(0, [new Y.XmlText(title)])
  return element
}

function paragraph(random) {
  const element = new Y.XmlElement('paragraph')
  let text = ''
  while (text.length < PARAGRAPH) text += `${WORDS[random(WORDS.length)]} `
  const content = new Y.XmlText()
  content.applyDelta([
    { insert: text.slice(0, 100) },
    { insert: text.slice(100, 110), attributes: { bold: {} } },
    { insert: text.slice(110) },
  ])
  element.insert(0, [content])
  return element
}
