import { baseKeymap, toggleMark } from 'prosemirror-commands'
import { keymap } from 'prosemirror-keymap'
import { schema } from 'prosemirror-schema-basic'
import { EditorState } from 'prosemirror-state'
import { EditorView } from 'prosemirror-view'
import { redo, undo, yCursorPlugin, ySyncPlugin, yUndoPlugin } from 'y-prosemirror'
import { SocketIOProvider } from 'y-rooms/client'
import { Doc } from 'yjs'
import { token } from '../../room/access-token.ts'
import { caretOf, tintOf } from '../../room/caret.ts'
import { element } from '../../room/element.ts'
import { readPerson } from '../../room/person.ts'
import { documentName, showRoom, watchAccess, whenContent } from '../../room/room.ts'

const doc = new Doc()
const provider = new SocketIOProvider(location.origin, documentName('prosemirror'), doc, { token })
showRoom(provider)
await whenContent(provider)

let isReadOnly = false
const view = new EditorView(element('editor', HTMLElement), {
  state: EditorState.create({
    schema,
    plugins: [
      ySyncPlugin(doc.getXmlFragment('prosemirror')),
      yCursorPlugin(provider.awareness, {
        cursorBuilder: (user: unknown) => caretOf(readPerson(user)),
        selectionBuilder: (user: unknown) => ({
          style: `background-color: ${tintOf(readPerson(user))}`,
        }),
      }),
      yUndoPlugin(),
      keymap({
        'Mod-z': undo,
        'Mod-y': redo,
        'Mod-Shift-z': redo,
        'Mod-b': toggleMark(schema.marks.strong),
        'Mod-i': toggleMark(schema.marks.em),
      }),
      keymap(baseKeymap),
    ],
  }),
  attributes: { 'aria-label': 'Text of the document', role: 'textbox', 'aria-multiline': 'true' },
  editable: () => !isReadOnly,
})
watchAccess(provider, (answer) => {
  isReadOnly = answer
  view.setProps({})
})
