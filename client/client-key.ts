import type * as Y from 'yjs'

const KEY_BYTES = 18

interface Identity {
  readonly key: string
  attempts: number
}

/** One per Y.Doc instance, for its life: a provider that follows another on one Y.Doc is the same client. */
const identities = new WeakMap<Y.Doc, Identity>()

/** The secret with which a returning Y.Doc takes its client id over from its own older socket, and which try this is. */
export function nextAttempt(doc: Y.Doc): { readonly key: string; readonly attempt: number } {
  let identity = identities.get(doc)
  if (identity === undefined) {
    identity = { key: newSecret(), attempts: 0 }
    identities.set(doc, identity)
  }
  return { key: identity.key, attempt: ++identity.attempts }
}

/** A secret for the server, which nobody guesses. */
export function newSecret(): string {
  // Not crypto.randomUUID: browsers withhold it from pages that came over plain HTTP.
  const bytes = crypto.getRandomValues(new Uint8Array(KEY_BYTES))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
