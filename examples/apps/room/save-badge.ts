import type { SaveState } from 'y-rooms/client'

type Tone = 'good' | 'busy' | 'warning' | 'bad'

export interface Badge {
  readonly text: string
  readonly tone: Tone
}

export interface SaveSituation {
  readonly saveState: SaveState
  readonly isConnected: boolean
  readonly wasSynced: boolean
  /** Something beside the document, an image for instance, is on its way to the server. */
  readonly isSending: boolean
  /** Why the server refused the document or an edit; null while it did not. */
  readonly refusal: string | null
}

/**
 * Saving takes a few milliseconds. The word stays for this long so that it can be read and does not
 * flicker; "Saved" is only ever late, never early.
 */
const SAVING_SHOWN_MS = 400

export function badgeOf(situation: SaveSituation): Badge {
  const { saveState, isConnected, wasSynced, isSending, refusal } = situation
  if (refusal !== null) return { text: `Refused: ${refusal}`, tone: 'bad' }
  if (!wasSynced) return { text: 'Connecting…', tone: 'busy' }
  if (saveState === 'saved' && isSending)
    return isConnected
      ? { text: 'Saving…', tone: 'busy' }
      : { text: 'Not saved – offline', tone: 'warning' }
  switch (saveState) {
    case 'saved':
      return isConnected
        ? { text: 'Saved', tone: 'good' }
        : { text: 'Offline – all edits saved', tone: 'warning' }
    case 'saving':
      return { text: 'Saving…', tone: 'busy' }
    case 'saved-locally':
      return { text: 'Offline – saved on this device', tone: 'warning' }
    case 'unsaved':
      return { text: 'Not saved – offline', tone: 'warning' }
    case 'rejected':
      return { text: 'Refused: an edit was not saved', tone: 'bad' }
  }
}

/** The badge in the page. What changes at every keystroke is shown; only what needs attention is spoken. */
export class SaveBadge {
  readonly #element: HTMLElement
  readonly #text: Element
  readonly #announcements: HTMLElement
  #shown: Badge = { text: '', tone: 'busy' }
  #shownAt = 0
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(element: HTMLElement, announcements: HTMLElement) {
    const text = element.querySelector('.save-text')
    if (text === null) throw new Error('the save badge has no text')
    this.#element = element
    this.#text = text
    this.#announcements = announcements
  }

  show(badge: Badge): void {
    clearTimeout(this.#timer)
    const wait = this.#shownAt + SAVING_SHOWN_MS - performance.now()
    if (this.#shown.tone === 'busy' && badge.tone === 'good' && wait > 0)
      this.#timer = setTimeout(() => this.#render(badge), wait)
    else this.#render(badge)
  }

  #render(badge: Badge): void {
    const before = this.#shown
    if (badge.tone === 'busy' && before.text === badge.text) this.#shownAt = performance.now()
    if (before.text === badge.text && before.tone === badge.tone) return
    this.#shown = badge
    this.#shownAt = performance.now()
    this.#element.dataset['tone'] = badge.tone
    this.#element.title = badge.text
    this.#text.textContent = badge.text
    const isTrouble = (tone: Tone): boolean => tone === 'warning' || tone === 'bad'
    if (isTrouble(badge.tone) || isTrouble(before.tone))
      this.#announcements.textContent = badge.text
  }
}
