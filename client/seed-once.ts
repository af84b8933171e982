import { digest as sha256 } from 'lib0/hash/sha256'
import * as Y from 'yjs'

/** Remembers in the document which seeds it has had, so that content that was deleted or has a new version is not put back. */
const SEEDS = 'y-rooms:seeds'
/** While the content is computed for its digest. Any fixed id would do. */
const DRAFT_CLIENT_ID = 1

/**
 * Puts initial content into a document once, whoever opens it first, and however many do so at the same time.
 *
 * `fill` writes the content into an empty Y.Doc that is given to it. It is called three times and must write the same each time: no
 * random ids, no dates; a difference throws a `TypeError` before anything is applied. Everybody who seeds the same content under the
 * same key produces identical structs, so that Yjs keeps one copy.
 *
 * Call it after `await provider.whenSynced`, and only where the user may write. It returns whether it changed the document: false if
 * the document has had a seed of this key, whatever its content was and whatever became of it since.
 *
 * The change is not in an undo stack, and is uploaded like any other.
 */
export function seedOnce(doc: Y.Doc, key: string, fill: (doc: Y.Doc) => void): boolean {
  if (doc.getMap(SEEDS).has(key)) return false
  const draft = encodeSeed(DRAFT_CLIENT_ID, key, fill)
  if (!isEqual(draft, encodeSeed(DRAFT_CLIENT_ID, key, fill)))
    throw new TypeError(`the content of the seed '${key}' differs from one call to the next`)
  const clientId = clientIdOf(draft)
  // The marker was removed by the application, or has not come with an update that was cut: the content is known all the same.
  if (Y.getState(doc.store, clientId) > 0) return false
  Y.applyUpdate(doc, encodeSeed(clientId, key, fill), seedOnce)
  return true
}

/** The content and its marker, as one client wrote them. */
function encodeSeed(clientId: number, key: string, fill: (doc: Y.Doc) => void): Uint8Array {
  const draft = new Y.Doc()
  draft.clientID = clientId
  try {
    draft.transact(() => {
      fill(draft)
      draft.getMap(SEEDS).set(key, true)
    })
    // Yjs takes a new id when it suspects that another client has ours.
    if (draft.clientID !== clientId)
      throw new TypeError(`the seed '${key}' may write by itself only, and apply no updates`)
    return Y.encodeStateAsUpdate(draft)
  } finally {
    draft.destroy()
  }
}

/**
 * From the SHA-256 of key and content: other content under the same id would be two truths about the same structs. 24 of the 32
 * bits that Yjs draws from: of two values set at once for a key of a map the one with the higher id stays, and that is to be a
 * person's. Two seeds of one document clash once in 16 million.
 */
function clientIdOf(draft: Uint8Array): number {
  const [high = 0, middle = 0, low = 0] = sha256(draft)
  return (high << 16) | (middle << 8) | low
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index])
}
