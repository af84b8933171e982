import { SocketIOProvider } from 'y-rooms/client'
import { documentNameFault } from 'y-rooms/protocol'
import { Doc } from 'yjs'
import { documentNameOf, linkTo, randomDocumentName } from './document-link.ts'
import { createEditor } from './editor.ts'
import { MyIdentity } from './my-identity.ts'
import { colorsOfOthers, showPeople } from './people-list.ts'
import { SaveBadge, badgeOf } from './save-badge.ts'

const name = documentNameOf(location.href)
const announcements = element('announcements', HTMLElement)
const badge = new SaveBadge(element('save', HTMLElement), announcements)

showDocumentName()
wireLinks()
const fault = documentNameFault(name)
if (fault === null) openDocument()
else refuseDocument(fault)

function showDocumentName(): void {
  const title = element('document-name', HTMLElement)
  title.textContent = name
  title.title = name
  document.title = `${name} – y-rooms`
}

function wireLinks(): void {
  // The hash is the document: another one is another page.
  addEventListener('hashchange', () => location.reload())

  element('new-document', HTMLButtonElement).addEventListener('click', () => {
    location.assign(linkTo(randomDocumentName(), location.href))
  })

  const copyLink = element('copy-link', HTMLButtonElement)
  const label = copyLink.textContent
  let timer: ReturnType<typeof setTimeout> | undefined
  const showCopied = (isCopied: boolean): void => {
    copyLink.textContent = isCopied ? 'Copied' : 'See address bar'
    announcements.textContent = isCopied ? 'Link copied' : 'The link is in the address bar'
    clearTimeout(timer)
    timer = setTimeout(() => (copyLink.textContent = label), 2000)
  }
  copyLink.addEventListener('click', () => {
    const link = linkTo(name, location.href)
    history.replaceState(null, '', link)
    void copy(link).then(showCopied)
  })
}

/** There is nothing to edit under such a name; "New document" leads out. */
function refuseDocument(reason: string): void {
  badge.show({ text: 'Refused', tone: 'bad' })
  element('people-bar', HTMLElement).hidden = true
  const text = document.createElement('p')
  text.className = 'refusal'
  text.textContent = `This link does not lead to a document: ${reason}.`
  const main = element('editor', HTMLElement)
  main.replaceChildren(text)
  main.setAttribute('aria-busy', 'false')
}

function openDocument(): void {
  const doc = new Doc()
  const provider = new SocketIOProvider(location.origin, name, doc)
  let isConnected = false
  let wasSynced = false
  let refusal: string | null = null

  const showSaveState = (): void =>
    badge.show(badgeOf({ saveState: provider.saveState, isConnected, wasSynced, refusal }))
  provider.on('status', ({ status }) => {
    isConnected = status === 'connected'
    showSaveState()
  })
  provider.on('save-state', showSaveState)
  provider.on('closed', ({ reason }) => {
    refusal = reason
    showSaveState()
  })
  provider.on('rejected', ({ error }) => {
    refusal = error.message
    showSaveState()
  })
  showMyself(provider)
  showPeople(element('people', HTMLElement), provider.awareness)

  void provider.whenSynced.then(() => {
    wasSynced = true
    const main = element('editor', HTMLElement)
    createEditor(main, doc.getText('body'), provider.awareness).focus()
    main.setAttribute('aria-busy', 'false')
    showSaveState()
  })

  addEventListener('beforeunload', (event) => {
    if (provider.saveState === 'unsaved' || provider.saveState === 'saving') event.preventDefault()
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
  void whenSynced.then(() => {
    me.avoidColors(colorsOfOthers(awareness))
    announce()
  })
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

function element<Kind extends HTMLElement>(id: string, kind: new () => Kind): Kind {
  const found = document.getElementById(id)
  if (found instanceof kind) return found
  throw new Error(`the page has no #${id}`)
}
