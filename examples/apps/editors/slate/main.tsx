import { withCursors, withYHistory, withYjs, YjsEditor } from '@slate-yjs/core'
import {
  getRemoteCaretsOnLeaf,
  useDecorateRemoteCursors,
  type TextWithRemoteCursors,
} from '@slate-yjs/react'
import { useEffect, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { createEditor, Editor, Transforms } from 'slate'
import { Editable, Slate, withReact, type RenderLeafProps } from 'slate-react'
import { SocketIOProvider } from 'y-rooms/client'
import { Doc, XmlText } from 'yjs'
import { token } from '../../room/access-token.ts'
import { element } from '../../room/element.ts'
import { readPerson } from '../../room/person.ts'
import { documentName, showRoom, watchAccess, whenContent } from '../../room/room.ts'

const doc = new Doc()
const provider = new SocketIOProvider(location.origin, documentName('slate'), doc, { token })
showRoom(provider)
await whenContent(provider)

const content = doc.get('content', XmlText)
const data = { ...readPerson(provider.awareness.getLocalState()?.['user']) }
const editor = withReact(
  withYHistory(
    withCursors(withYjs(createEditor(), content), provider.awareness, {
      // The bar announces us under this name already, and again when we rename ourselves.
      cursorDataField: 'user',
      data,
    }),
  ),
)
const { normalizeNode } = editor
editor.normalizeNode = (entry, options) => {
  // Slate cannot draw an editor without a paragraph.
  if (Editor.isEditor(entry[0]) && editor.children.length === 0)
    Transforms.insertNodes(editor, { children: [{ text: '' }] }, { at: [0] })
  else normalizeNode(entry, options)
}

function Page() {
  useEffect(() => {
    YjsEditor.connect(editor)
    return () => YjsEditor.disconnect(editor)
  }, [])
  return (
    <Slate editor={editor} initialValue={[{ children: [{ text: '' }] }]}>
      <Text />
    </Slate>
  )
}

function Text() {
  const [isReadOnly, setReadOnly] = useState(false)
  useEffect(() => watchAccess(provider, setReadOnly), [])
  return (
    <Editable
      readOnly={isReadOnly}
      decorate={useDecorateRemoteCursors({ carets: true })}
      renderLeaf={renderLeaf}
      aria-label="Text of the document"
    />
  )
}

function renderLeaf({ attributes, children, leaf }: RenderLeafProps) {
  const people = getRemoteCaretsOnLeaf(leaf as TextWithRemoteCursors)
  return (
    <span {...attributes}>
      {people.map(({ clientId, data: user }) => (
        <Caret key={clientId} user={user} />
      ))}
      {children}
    </span>
  )
}

function Caret({ user }: { user: unknown }) {
  const { name, color } = readPerson(user)
  return (
    <span className="caret" contentEditable={false} style={{ ['--caret' as string]: color }}>
      <span className="caret-name">{name}</span>
    </span>
  )
}

createRoot(element('editor', HTMLElement)).render(<Page />)
