/**
 * Lets the browser ask before it closes the page, while there is something to lose. The listener is there only then: with
 * one, browsers put no page into the back/forward cache.
 */
export class CloseWarning {
  #isOn = false

  set(isOn: boolean): void {
    if (isOn === this.#isOn || typeof window === 'undefined') return
    this.#isOn = isOn
    if (isOn) window.addEventListener('beforeunload', ask)
    else window.removeEventListener('beforeunload', ask)
  }
}

function ask(event: BeforeUnloadEvent): void {
  event.preventDefault()
}
