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
  const handleHide = (): void => {
    letGo()
    handleChange(false)
  }
  const handleShow = ({ persisted }: PageTransitionEvent): void => {
    if (persisted) letGo = request(locks, database, handleChange)
  }
  globalThis.addEventListener?.('pagehide', handleHide)
  globalThis.addEventListener?.('pageshow', handleShow)
  return () => {
    globalThis.removeEventListener?.('pagehide', handleHide)
    globalThis.removeEventListener?.('pageshow', handleShow)
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
