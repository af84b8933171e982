import type * as Y from 'yjs'

const KEY_BYTES = 18

/** One per Y.Doc instance, for its life: a provider that follows another on one Y.Doc is the same client. */
const keys = new WeakMap<Y.Doc, string>()

/** The secret with which a returning Y.Doc takes its client id over from its own older socket. */
export function clientKey(doc: Y.Doc): string {
  let key = keys.get(doc)
  if (key === undefined) {
    // Not crypto.randomUUID: browsers withhold it from pages that came over plain HTTP.
    const bytes = crypto.getRandomValues(new Uint8Array(KEY_BYTES))
    key = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
    keys.set(doc, key)
  }
  return key
}
