import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import * as Y from 'yjs'

/** [position, deleted letters, inserted text] for each keystroke of a paper; source and licence are beside the file. */
export function readTrace() {
  const file = new URL('../../test/fixtures/trace/editing-trace.json.gz', import.meta.url)
  return JSON.parse(gunzipSync(readFileSync(file)).toString())
}

/** The paper, or its beginning, as one update: what a client holds that wrote all of it. */
export function traceDocument(share = 1) {
  const edits = readTrace()
  const doc = new Y.Doc()
  doc.clientID = 1
  const text = doc.getText('body')
  doc.transact(() => {
    for (const edit of edits.slice(0, edits.length * share)) applyEdit(text, edit)
  })
  return Y.encodeStateAsUpdate(doc)
}

/** The same, as that client sends it: an update for each of so many keystrokes. Ends with a letter, so that its arrival tells. */
export function typeTrace(count, clientId) {
  const edits = readTrace().slice(0, count)
  edits.length = edits.findLastIndex(([, , inserted]) => inserted !== '') + 1
  const doc = new Y.Doc()
  doc.clientID = clientId
  const text = doc.getText('body')
  const updates = []
  const clockAfter = new Uint32Array(edits.length)
  doc.on('update', (update) => updates.push(update))
  let clock = 0
  for (const [index, edit] of edits.entries()) {
    doc.transact(() => applyEdit(text, edit))
    clockAfter[index] = clock += edit[2].length
  }
  return {
    updates,
    /** The author's clock after each. */
    clockAfter,
    text: text.toString(),
    acceptedBytes: updates.reduce((sum, { length }) => sum + length, 0),
    encodedBytes: Y.encodeStateAsUpdate(doc).length,
  }
}

function applyEdit(text, [position, deleted, inserted]) {
  if (deleted > 0) text.delete(position, deleted)
  if (inserted !== '') text.insert(position, inserted)
}
