import { onPageLife } from '../page-life.ts'

/**
 * Of the pages that have one document open, one keeps its database: it stores what comes from the
 * server, for all of them, and folds rows. The next one takes over when it is gone.
 *
 * Returns what ends it.
 */
export function becomeKeeper(
  database: string,
  handleChange: (isKeeper: boolean) => void,
): () => void {
  const locks = globalThis.navigator?.locks as LockManager | undefined
  // Not on plain HTTP. Then every page stores everything, and the next folding removes the surplus.
  if (locks === undefined) {
    handleChange(true)
    return () => undefined
  }
  let letGo = request(locks, database, handleChange)
  // A page that holds a lock, or waits for one, is not kept for the back button.
  const stopPageLife = onPageLife({
    handleHide: () => {
      letGo()
      handleChange(false)
    },
    handleReturn: () => {
      letGo = request(locks, database, handleChange)
    },
  })
  return () => {
    stopPageLife()
    letGo()
  }
}

function request(
  locks: LockManager,
  database: string,
  handleChange: (isKeeper: boolean) => void,
): () => void {
  const controller = new AbortController()
  let release: () => void = () => undefined
  const held = new Promise<void>((resolve) => (release = resolve))
  locks
    .request(`y-rooms ${database}`, { signal: controller.signal }, () => {
      if (controller.signal.aborted) return undefined
      handleChange(true)
      return held
    })
    // Given up while it waited.
    .catch(() => undefined)
  return () => {
    controller.abort()
    release()
  }
}
