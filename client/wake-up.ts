/**
 * Calls back when waiting any longer for a connection makes no sense: the network came back, or
 * somebody looks at the page again. Returns what stops it. Outside of a browser it never calls.
 */
export function onWakeUp(callback: () => void): () => void {
  if (typeof window === 'undefined' || typeof document === 'undefined') return () => undefined
  const handleVisibility = (): void => {
    if (document.visibilityState === 'visible') callback()
  }
  window.addEventListener('online', callback)
  document.addEventListener('visibilitychange', handleVisibility)
  return () => {
    window.removeEventListener('online', callback)
    document.removeEventListener('visibilitychange', handleVisibility)
  }
}
