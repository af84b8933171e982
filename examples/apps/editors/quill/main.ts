import Quill from 'quill'
import QuillCursors from 'quill-cursors'
import 'quill/dist/quill.snow.css'
import { QuillBinding } from 'y-quill'
import { SocketIOProvider } from 'y-rooms/client'
import { Doc } from 'yjs'
import { token } from '../../room/access-token.ts'
import { element } from '../../room/element.ts'
import { documentName, showRoom, watchAccess, whenContent } from '../../room/room.ts'

const doc = new Doc()
const provider = new SocketIOProvider(location.origin, documentName('quill'), doc, { token })
showRoom(provider)
await whenContent(provider)

Quill.register('modules/cursors', QuillCursors)
const quill = new Quill(element('editor', HTMLElement), {
  theme: 'snow',
  placeholder: 'Write something. Everyone with the link sees it as you type.',
  modules: {
    cursors: true,
    // Undo takes back one's own edits only.
    history: { userOnly: true },
    toolbar: [
      [{ header: 1 }, { header: 2 }],
      ['bold', 'italic', 'underline', 'link'],
      [{ list: 'bullet' }, { list: 'ordered' }],
    ],
  },
})
quill.root.ariaLabel = 'Text of the document'
new QuillBinding(doc.getText('quill'), quill, provider.awareness)
watchAccess(provider, (isReadOnly) => quill.enable(!isReadOnly))
