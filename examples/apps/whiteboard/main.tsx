import { createRoot } from 'react-dom/client'
import { SocketIOProvider } from 'y-rooms/client'
import { Doc } from 'yjs'
import { token } from '../room/access-token.ts'
import { element } from '../room/element.ts'
import { documentName, Sending, showRoom, whenContent } from '../room/room.ts'

declare global {
  interface Window {
    EXCALIDRAW_ASSET_PATH?: string
  }
}

const doc = new Doc()
const provider = new SocketIOProvider(location.origin, documentName('whiteboard'), doc, { token })
const sending = new Sending()
const people = showRoom(provider, sending)

// Excalidraw asks for it while it loads, and would take its fonts from another host without it.
window.EXCALIDRAW_ASSET_PATH = new URL('./', location.href.replace(/#.*/, '')).href
const [{ Whiteboard }] = await Promise.all([import('./whiteboard.tsx'), whenContent(provider)])

const main = element('board', HTMLElement)
main.setAttribute('aria-busy', 'false')
createRoot(main).render(<Whiteboard provider={provider} people={people} sending={sending} />)
