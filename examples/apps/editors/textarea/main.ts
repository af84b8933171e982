import { SocketIOProvider } from 'y-rooms/client'
import { Doc } from 'yjs'
import { token } from '../../room/access-token.ts'
import { element } from '../../room/element.ts'
import { documentName, showRoom, watchAccess, whenContent } from '../../room/room.ts'
import { bindTextarea } from './textarea-binding.ts'

const doc = new Doc()
const provider = new SocketIOProvider(location.origin, documentName('textarea'), doc, { token })
showRoom(provider)
await whenContent(provider)

const area = document.createElement('textarea')
area.ariaLabel = 'Text of the document'
area.placeholder = 'Write something. Everyone with the link sees it as you type.'
element('editor', HTMLElement).append(area)
bindTextarea(area, doc.getText('textarea'))
watchAccess(provider, (isReadOnly) => (area.readOnly = isReadOnly))
