const KEY = 'y-rooms.token'
const PARAMETER = 'token='

let current = takeFromLink() ?? recall()

/**
 * The token of this tab, for the provider: from the link (`#plan&token=…`), which is the part of an address that browsers send to
 * nobody. It is taken out of the address bar at once, so that a copied link or a shared screen does not give it away, and
 * is kept for reloads until the tab is closed.
 */
export function token(): string | null {
  return current
}

export function rememberToken(given: string): void {
  current = given
  try {
    sessionStorage.setItem(KEY, given)
  } catch {
    // Private windows may refuse; the token then lasts as long as the page.
  }
}

/** What of a fragment names the document. */
export function withoutToken(fragment: string): string {
  return fragment
    .split('&')
    .filter((part) => !part.startsWith(PARAMETER))
    .join('&')
}

function takeFromLink(): string | null {
  const fragment = location.hash.slice(1)
  const given = fragment.split('&').find((part) => part.startsWith(PARAMETER))
  if (given === undefined) return null
  const rest = withoutToken(fragment)
  const cleaned = location.pathname + location.search + (rest === '' ? '' : `#${rest}`)
  history.replaceState(history.state, '', cleaned)
  rememberToken(given.slice(PARAMETER.length))
  return current
}

function recall(): string | null {
  try {
    return sessionStorage.getItem(KEY)
  } catch {
    return null
  }
}
