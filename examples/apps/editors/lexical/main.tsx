import { CollaborationPlugin } from '@lexical/react/LexicalCollaborationPlugin'
import { LexicalCollaboration } from '@lexical/react/LexicalCollaborationContext'
import { LexicalComposer } from '@lexical/react/LexicalComposer'
import { useLexicalComposerContext } from '@lexical/react/LexicalComposerContext'
import { ContentEditable } from '@lexical/react/LexicalContentEditable'
import { LexicalErrorBoundary } from '@lexical/react/LexicalErrorBoundary'
import { RichTextPlugin } from '@lexical/react/LexicalRichTextPlugin'
import type { Provider } from '@lexical/yjs'
import { $createParagraphNode, $getRoot, type LexicalEditor } from 'lexical'
import { useEffect } from 'react'
import { createRoot } from 'react-dom/client'
import { SocketIOProvider } from 'y-rooms/client'
import { Doc } from 'yjs'
import { token } from '../../room/access-token.ts'
import { element } from '../../room/element.ts'
import { readPerson } from '../../room/person.ts'
import { documentName, showRoom, watchAccess } from '../../room/room.ts'

const name = documentName('lexical')
const doc = new Doc()
// Lexical connects it when the editor is there, and seeds an empty document after the first `sync`.
const provider = new SocketIOProvider(location.origin, name, doc, { token, connect: false })
showRoom(provider)
const { awareness } = provider
let user = readPerson(awareness.getLocalState()?.['user'])

// Lexical replaces the whole state when it starts, and keeps the name in fields of its own. The bar looks for `user`.
awareness.on('update', () => {
  const state = awareness.getLocalState()
  if (state === null) return
  user = readPerson(state['user'] ?? user)
  if (state['user'] === undefined || state['name'] !== user.name || state['color'] !== user.color)
    awareness.setLocalState({ ...state, ...user, user })
})

function providerFor(id: string, docs: Map<string, Doc>): Provider {
  docs.set(id, doc)
  return provider
}

/** As Lexical begins by itself, except for somebody whose paragraph the server would refuse. */
function begin(editor: LexicalEditor): void {
  if (provider.getSnapshot().readOnly) return
  const paragraph = $createParagraphNode()
  $getRoot().append(paragraph)
  if (editor.getRootElement() === document.activeElement) paragraph.select()
}

function Access() {
  const [editor] = useLexicalComposerContext()
  useEffect(() => watchAccess(provider, (isReadOnly) => editor.setEditable(!isReadOnly)), [editor])
  return null
}

createRoot(element('editor', HTMLElement)).render(
  <LexicalCollaboration>
    <LexicalComposer
      initialConfig={{
        namespace: 'y-rooms',
        // The document brings the content.
        editorState: null,
        onError: (error) => {
          throw error
        },
      }}
    >
      <RichTextPlugin
        contentEditable={<ContentEditable className="lexical" ariaLabel="Text of the document" />}
        ErrorBoundary={LexicalErrorBoundary}
      />
      <CollaborationPlugin
        id={name}
        providerFactory={providerFor}
        shouldBootstrap
        initialEditorState={begin}
        username={user.name}
        cursorColor={user.color}
      />
      <Access />
    </LexicalComposer>
  </LexicalCollaboration>,
)
