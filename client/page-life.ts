/** A page that the browser puts aside whole (the back/forward cache), and takes out again. */
export interface PageLifeHandlers {
  /** The page is going: into the cache, or for good. */
  handleHide(isKept: boolean): void
  /** The page is back as it was; its sockets are not. */
  handleReturn(): void
}

/** Listens before the page's own listeners do. Returns what stops it. Outside of a browser it never calls. */
export function onPageLife(handlers: PageLifeHandlers): () => void {
  if (typeof window === 'undefined') return () => undefined
  const handleHide = (event: PageTransitionEvent): void => handlers.handleHide(event.persisted)
  const handleShow = (event: PageTransitionEvent): void => {
    if (event.persisted) handlers.handleReturn()
  }
  window.addEventListener('pagehide', handleHide, { capture: true })
  window.addEventListener('pageshow', handleShow, { capture: true })
  return () => {
    window.removeEventListener('pagehide', handleHide, { capture: true })
    window.removeEventListener('pageshow', handleShow, { capture: true })
  }
}
