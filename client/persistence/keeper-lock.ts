/**
 * Of the pages that have one document open, one keeps its database: it stores what comes from the
 * server, for all of them, and compacts. The next one takes over when it is gone.
 */
export function becomeKeeper(database: string, handleKeeper: () => void): () => void {
  const locks = globalThis.navigator?.locks as LockManager | undefined
  // Not on plain HTTP. Then every page stores everything, and the next load folds it.
  if (locks === undefined) {
    handleKeeper()
    return () => undefined
  }
  const controller = new AbortController()
  let release: () => void = () => undefined
  const held = new Promise<void>((resolve) => (release = resolve))
  locks
    .request(`y-rooms ${database}`, { signal: controller.signal }, () => {
      handleKeeper()
      return held
    })
    // Aborted while it waited.
    .catch(() => undefined)
  return () => {
    controller.abort()
    release()
  }
}
