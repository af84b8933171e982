import * as Y from 'yjs'

/**
 * Applies updates of the server in one transaction that is nobody's local edit, so that no undo
 * manager takes it for one. Yjs integrates before it calls observers: what one of them throws is
 * returned, and the updates are in the document all the same.
 */
export function applyUpdates(
  doc: Y.Doc,
  updates: readonly Uint8Array[],
  origin: object,
): { readonly cause: unknown } | null {
  if (updates.length === 0) return null
  const applyAll = (): void => {
    for (const update of updates) Y.applyUpdate(doc, update, origin)
  }
  try {
    Y.transact(doc, applyAll, origin, false)
    return null
  } catch (cause) {
    return { cause }
  }
}
