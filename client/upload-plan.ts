import * as Y from 'yjs'

/** Whether `pending` holds every struct that the document has and the server does not. */
export function coversMissing(
  doc: Y.Doc,
  serverStateVector: Uint8Array,
  pending: Uint8Array | null,
): boolean {
  const server = Y.decodeStateVector(serverStateVector)
  const range = pending === null ? null : Y.parseUpdateMeta(pending)
  for (const [clientId, clock] of Y.decodeStateVector(Y.encodeStateVector(doc))) {
    const known = server.get(clientId) ?? 0
    if (clock <= known) continue
    const from = range?.from.get(clientId)
    const to = range?.to.get(clientId)
    if (from === undefined || to === undefined || from > known || to < clock) return false
  }
  return true
}

/**
 * What the document has beyond a state vector, with all its deletions; null if that is nothing.
 * Yjs would add structs that wait for others which never came; a server refuses those, as it
 * cannot check them, and with them the whole update.
 */
export function encodeIntegrated(doc: Y.Doc, beyond?: Uint8Array): Uint8Array | null {
  const { store } = doc
  const { pendingStructs, pendingDs } = store
  store.pendingStructs = null
  store.pendingDs = null
  try {
    const update = Y.encodeStateAsUpdate(doc, beyond)
    // No struct and no deletion: two zeros.
    return update.length === 2 ? null : update
  } finally {
    store.pendingStructs = pendingStructs
    store.pendingDs = pendingDs
  }
}

/**
 * As `encodeIntegrated`, without the content of what is deleted: an undo manager keeps it in the document. Takes as much memory as the
 * document for a moment. Null also when something in the document waits for what never came.
 */
export function encodeRemaining(doc: Y.Doc, beyond: Uint8Array): Uint8Array | null {
  if (doc.store.pendingStructs !== null) return null
  const copy = new Y.Doc()
  Y.applyUpdate(copy, Y.encodeStateAsUpdate(doc))
  const update = encodeIntegrated(copy, beyond)
  copy.destroy()
  return update
}

/** Whether the document has every struct of a state vector. */
export function hasEverything(doc: Y.Doc, stateVector: Uint8Array): boolean {
  const mine = Y.decodeStateVector(Y.encodeStateVector(doc))
  for (const [clientId, clock] of Y.decodeStateVector(stateVector))
    if ((mine.get(clientId) ?? 0) < clock) return false
  return true
}

export function isEmptyDocument(doc: Y.Doc): boolean {
  const { clients, pendingStructs, pendingDs } = doc.store
  return clients.size === 0 && pendingStructs === null && pendingDs === null
}
