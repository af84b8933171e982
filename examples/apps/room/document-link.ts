import { withoutToken } from './access-token.ts'

const DEFAULT_DOCUMENT = 'welcome'

/** The document that a link means: `#name` first, then `?document=name`, else one that everybody shares. */
export function documentNameOf(link: string): string {
  const url = new URL(link)
  return (
    decodeFragment(withoutToken(url.hash.slice(1))) ||
    url.searchParams.get('document') ||
    DEFAULT_DOCUMENT
  )
}

/** The same page with another document. */
export function linkTo(name: string, page: string): string {
  const url = new URL(page)
  url.searchParams.delete('document')
  url.hash = encodeURIComponent(name)
  return url.href
}

/** Hard to guess (79 bits), so that a link is as good as a key among strangers, and easy to select. */
export function randomDocumentName(): string {
  const letters = 'abcdefghjkmnpqrstuvwxyz23456789'
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  const text = Array.from(bytes, (byte) => letters[byte % letters.length]).join('')
  return text.replace(/(....)(?=.)/g, '$1-')
}

function decodeFragment(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // Typed by hand, with a percent sign in it.
    return text
  }
}
