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
    for (const [position, deleted, inserted] of edits.slice(0, edits.length * share)) {
      if (deleted > 0) text.delete(position, deleted)
      if (inserted !== '') text.insert(position, inserted)
    }
  })
  return Y.encodeStateAsUpdate(doc)
}
