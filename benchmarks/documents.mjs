import * as Y from 'yjs'
import { fold } from './product.mjs'

/** The same numbers on every machine and in every run. */
export function randomNumbers(seed) {
  let state = seed
  return (below) => {
    // Numerical Recipes' linear congruential generator; its high bits are good enough for positions.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/**
 * A document of about so many encoded bytes, in the shared text `body`… or, with a long history, in many texts: twenty people
 * wrote twenty characters at a time at random places and deleted a third of it again.
 */
export function makeDocument(bytes, history) {
  const doc = new Y.Doc()
  doc.clientID = 1
  if (history === 'short') {
    const random = randomNumbers(1)
    const paste = 64 * 1024
    doc.transact(() => {
      for (let written = 0; written < bytes; written += paste) {
        const letters = Array.from({ length: Math.min(paste, bytes - written) }, () =>
          String.fromCharCode(97 + random(26)),
        )
        doc.getText('body').insert(0, letters.join(''))
      }
    })
    return doc
  }
  const random = randomNumbers(2)
  const paragraphs = doc.getArray('paragraphs')
  const texts = []
  // Measured: what remains of one such edit takes about this much.
  const edits = Math.ceil(bytes / 20.6)
  doc.transact(() => {
    for (let index = 0; index < Math.ceil(edits / 300); index++) texts.push(new Y.Text())
    paragraphs.push(texts)
    doc.getText('body').insert(0, 'The text that is typed into.')
  })
  for (let edit = 0; edit < edits; edit++) {
    doc.clientID = 1 + random(20)
    const text = texts[random(texts.length)]
    if (edit % 3 === 2 && text.length > 20) text.delete(random(text.length - 20), 20)
    else text.insert(random(text.length + 1), 'twenty characters ok')
  }
  return doc
}

/** Puts a document into a storage as it is after a compaction: one snapshot and no log after it. */
export async function storeDocument(storage, name, update) {
  const { epoch } = await storage.head(name)
  const entry = { update, author: null, receivedAt: Date.now() }
  await storage.append([{ name, epoch, entries: [entry] }])
  const folded = fold({ snapshot: null, index: null, updates: [update] })
  await storage.replacePrefix(name, epoch, { seq: 1, ...folded })
  return folded.update.length
}

/** So many keystrokes into the text `body` of a document, one of ten a deletion, as a client sends them. */
export function typeInto(doc, count) {
  const random = randomNumbers(3)
  const text = doc.getText('body')
  let caret = Math.floor(text.length / 2)
  const updates = []
  doc.on('update', (update) => updates.push(update))
  doc.clientID = 777
  for (let keystroke = 0; keystroke < count; keystroke++) {
    if (keystroke % 10 === 9) text.delete(--caret, 1)
    else text.insert(caret++, String.fromCharCode(97 + random(26)))
  }
  return updates
}
