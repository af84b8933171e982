import { createExtension } from '@blocknote/core'
import { withCollaboration } from '@blocknote/core/yjs'
import { BlockNoteView } from '@blocknote/mantine'
import '@blocknote/mantine/style.css'
import { useCreateBlockNote } from '@blocknote/react'
import { useEffect, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { yCursorPlugin } from 'y-prosemirror'
import { seedOnce, SocketIOProvider } from 'y-rooms/client'
import { Doc, XmlElement, XmlText } from 'yjs'
import { token } from '../../room/access-token.ts'
import { caretOf, tintOf } from '../../room/caret.ts'
import { element } from '../../room/element.ts'
import { readPerson } from '../../room/person.ts'
import { documentName, showRoom, watchAccess, whenContent } from '../../room/room.ts'

const doc = new Doc()
const provider = new SocketIOProvider(location.origin, documentName('blocknote'), doc, { token })
showRoom(provider)
await whenContent(provider)

// A document of BlockNote has one group of blocks. Two people who begin an empty one at once would make two, and the
// binding throws one of them away with what was typed there. Of two texts that they begin in one paragraph it makes one, each
// of them for himself, and doubles letters.
if (!provider.getSnapshot().readOnly)
  seedOnce(doc, 'first-block', (seed) => {
    const block = new XmlElement('blockContainer')
    block.setAttribute('id', 'initialBlockId')
    const paragraph = new XmlElement('paragraph')
    paragraph.push([new XmlText()])
    block.push([paragraph])
    const group = new XmlElement('blockGroup')
    group.push([block])
    seed.getXmlFragment('blocknote').push([group])
  })

// BlockNote draws carets by itself when it is given the provider, but keeps the name that it saw first, and puts others'
// colours into styles as they come.
const carets = createExtension({
  key: 'carets',
  dependsOn: ['ySync'],
  prosemirrorPlugins: [
    yCursorPlugin(provider.awareness, {
      cursorBuilder: (user: unknown) => caretOf(readPerson(user)),
      selectionBuilder: (user: unknown) => ({
        style: `background-color: ${tintOf(readPerson(user))}`,
      }),
    }),
  ],
})

const options = withCollaboration({
  collaboration: {
    fragment: doc.getXmlFragment('blocknote'),
    user: { ...readPerson(provider.awareness.getLocalState()?.['user']) },
  },
  domAttributes: { editor: { 'aria-label': 'Text of the document' } },
  extensions: [carets],
})

function Page() {
  const editor = useCreateBlockNote(options)
  const [isReadOnly, setReadOnly] = useState(false)
  useEffect(() => watchAccess(provider, setReadOnly), [])
  return <BlockNoteView editor={editor} editable={!isReadOnly} />
}

createRoot(element('editor', HTMLElement)).render(<Page />)
