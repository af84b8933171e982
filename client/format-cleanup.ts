import * as Y from 'yjs'

/**
 * Whether a transaction is Yjs's own: after a remote change to rich text every replica removes formatting marks that have become
 * redundant, in a local transaction. Nothing that anybody sees changes. To be asked before Yjs collects the garbage of the
 * transaction, which forgets what was deleted.
 */
export function isFormatCleanup(transaction: Y.Transaction): boolean {
  const { local, origin, beforeState, afterState, deleteSet } = transaction
  if (!local || origin !== null || deleteSet.clients.size === 0) return false
  for (const [client, clock] of afterState) if (beforeState.get(client) !== clock) return false
  let isCleanup = true
  Y.iterateDeletedStructs(transaction, deleteSet, (struct) => {
    if (!(struct instanceof Y.Item && struct.content instanceof Y.ContentFormat)) isCleanup = false
  })
  return isCleanup
}
