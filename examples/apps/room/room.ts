import type { SocketIOProvider } from 'y-rooms/client'
import { documentNameFault } from 'y-rooms/protocol'
import { documentNameOf, linkTo, randomDocumentName } from './document-link.ts'
import { element } from './element.ts'
import { MyIdentity } from './my-identity.ts'
import { colorsOfOthers, PeopleList } from './people-list.ts'
import { SaveBadge, badgeOf } from './save-badge.ts'
import { requestTokens } from './token-request.ts'
import './room.css'

const BAR = `
  <a class="home" href="../" aria-label="All apps">
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="8" />
      <path class="mark-lines" d="M8 10h12M8 16h16M8 22h9" />
      <path class="mark-caret" d="M22.5 19v6" />
    </svg>
  </a>
  <h1 id="document-name"></h1>
  <p class="save" id="save" data-tone="busy"><span class="save-text">Connecting…</span></p>
  <div class="people" role="group" aria-label="People in this document">
    <div class="chip me">
      <button type="button" class="dot" id="my-color" aria-label="Change my colour"></button>
      <label class="hidden" for="my-name">My name, as others see it</label>
      <input id="my-name" type="text" maxlength="40" autocomplete="nickname" spellcheck="false" enterkeyhint="done" />
    </div>
    <ul id="people" aria-label="Others"></ul>
  </div>
  <div class="actions">
    <button type="button" class="button" id="copy-link">Copy link</button>
    <button type="button" class="button" id="new-document">New</button>
  </div>
  <p class="hidden" id="announcements" role="status"></p>`

/** What is sent beside the document: the badge waits for it, too. */
export class Sending {
  handleChange: () => void = () => undefined
  #isSending = false

  get isSending(): boolean {
    return this.#isSending
  }

  set(isSending: boolean): void {
    if (isSending === this.#isSending) return
    this.#isSending = isSending
    this.handleChange()
  }
}

/** The document that the link means, in a namespace of the app: another editor would not understand it. */
export function documentName(app: string): string {
  const name = `${app}/${documentNameOf(location.href)}`
  const fault = documentNameFault(name)
  if (fault === null) return name
  showBar(name)
  element('save', HTMLElement).textContent = `This link leads nowhere: ${fault}`
  throw new TypeError(fault)
}

/** Puts the bar above the page: which document, whether it is saved, who is here, how to invite. */
export function showRoom(provider: SocketIOProvider, sending = new Sending()): PeopleList {
  showBar(provider.name)
  showSaveState(provider, sending)
  requestTokens(provider)
  return showPeople(provider)
}

/** The document is there. If the server refuses it, the bar and the form for a token say so, and there is nothing to edit: never resolves. */
export async function whenContent({ whenSynced }: SocketIOProvider): Promise<void> {
  await whenSynced.catch(() => new Promise(() => undefined))
}

/** Who I am, for me to change, and who else is here. */
export function showPeople(provider: SocketIOProvider): PeopleList {
  showMyself(provider)
  return new PeopleList(element('people', HTMLElement), provider.awareness)
}

/** Tells whether the server lets us write, now and whenever it answers otherwise. Offline its last answer holds. */
export function watchAccess(
  provider: SocketIOProvider,
  show: (isReadOnly: boolean) => void,
): () => void {
  let shown: boolean | null = null
  return provider.subscribe(({ synced, readOnly }) => {
    if (!synced || readOnly === shown) return
    shown = readOnly
    document.documentElement.toggleAttribute('data-read-only', shown)
    show(shown)
  })
}

/** The bar alone; `showRoom` fills it for a page with one document. */
export function showBar(name: string): void {
  const bar = document.createElement('header')
  bar.className = 'bar'
  bar.innerHTML = BAR
  document.body.prepend(bar)
  const label = name.slice(name.indexOf('/') + 1)
  const title = element('document-name', HTMLElement)
  title.textContent = label
  title.title = label
  document.title = `${label} – ${document.title}`
  wireLinks(label)
}

function wireLinks(label: string): void {
  // The hash is the document: another one is another page.
  addEventListener('hashchange', () => location.reload())
  element('new-document', HTMLButtonElement).addEventListener('click', () => {
    location.assign(linkTo(randomDocumentName(), location.href))
  })

  const copyLink = element('copy-link', HTMLButtonElement)
  const caption = copyLink.textContent
  const announcements = element('announcements', HTMLElement)
  let timer: ReturnType<typeof setTimeout> | undefined
  const showCopied = (isCopied: boolean): void => {
    copyLink.textContent = isCopied ? 'Copied' : 'See address'
    announcements.textContent = isCopied ? 'Link copied' : 'The link is in the address bar'
    clearTimeout(timer)
    timer = setTimeout(() => (copyLink.textContent = caption), 2000)
  }
  copyLink.addEventListener('click', () => {
    const link = linkTo(label, location.href)
    history.replaceState(null, '', link)
    void copy(link).then(showCopied)
  })
}

function showSaveState(provider: SocketIOProvider, sending: Sending): void {
  const badge = new SaveBadge(element('save', HTMLElement), element('announcements', HTMLElement))
  let wasSynced = false
  let closedFor: string | null = null
  let rejectedFor: string | null = null
  provider.on('closed', ({ reason }) => (closedFor ??= reason))
  // The page says beside it what to do about that.
  provider.on('authenticationFailed', ({ permanent }) => {
    if (permanent) closedFor = 'no access'
  })
  // An edit that was rejected stays rejected, but who was not let in may come back with another token.
  provider.on('authenticated', () => (closedFor = null))
  provider.on('rejected', ({ error }) => (rejectedFor = error.message))
  const show = (): void => {
    wasSynced ||= provider.synced
    const { saveState, connected: isConnected } = provider
    const { isSending } = sending
    const refusal = closedFor ?? rejectedFor
    badge.show(badgeOf({ saveState, isConnected, wasSynced, isSending, refusal }))
  }
  provider.subscribe(show)
  sending.handleChange = show
  provider.on('rejected', show)
  provider.on('closed', show)
  provider.on('authenticationFailed', show)
  addEventListener('beforeunload', (event) => {
    if (provider.saveState === 'unsaved' || provider.saveState === 'saving' || sending.isSending)
      event.preventDefault()
  })
}

/** My chip: type to rename, click the dot for another colour. */
function showMyself({ awareness, whenSynced }: SocketIOProvider): void {
  const me = new MyIdentity()
  const nameField = element('my-name', HTMLInputElement)
  const colorButton = element('my-color', HTMLButtonElement)

  const announce = (): void => {
    colorButton.style.backgroundColor = me.person.color
    awareness.setLocalStateField('user', me.person)
  }
  nameField.value = me.person.name
  nameField.addEventListener('input', () => {
    me.rename(nameField.value)
    announce()
  })
  nameField.addEventListener('blur', () => (nameField.value = me.person.name))
  nameField.addEventListener('keydown', (event) => {
    if (event.key === 'Enter') nameField.blur()
  })
  colorButton.addEventListener('click', () => {
    me.nextColor()
    announce()
  })
  announce()
  const avoidColors = (): void => {
    me.avoidColors(colorsOfOthers(awareness))
    announce()
  }
  // A refusal is shown by the badge.
  void whenSynced.then(avoidColors, () => undefined)
}

/** False where the browser has no clipboard for us: a plain http page on another machine. */
async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return false
  }
}
