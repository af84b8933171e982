import { SocketIOProvider } from 'y-rooms/client'
import { Doc } from 'yjs'
import { token } from '../room/access-token.ts'
import { element } from '../room/element.ts'
import { documentName, showRoom, watchAccess, whenContent } from '../room/room.ts'
import { createEditor } from './editor.ts'
import { wireLinkForm } from './link-form.ts'
import { showToolbar } from './toolbar.ts'
import { showLength } from './word-count.ts'

const doc = new Doc()
const provider = new SocketIOProvider(location.origin, documentName('rich-text'), doc, { token })
showRoom(provider)

// Not before: an editor on an empty document would let people write a second beginning.
await whenContent(provider)
const main = element('editor', HTMLElement)
const editor = createEditor(main, doc, provider.awareness)
main.setAttribute('aria-busy', 'false')
showToolbar(element('toolbar', HTMLElement), editor, wireLinkForm(editor))
showLength(element('count', HTMLElement), editor)
watchAccess(provider, (isReadOnly) => editor.setEditable(!isReadOnly))
// Whoever types a name meanwhile goes on typing it.
if (!provider.readOnly && document.activeElement === document.body) editor.commands.focus('start')
