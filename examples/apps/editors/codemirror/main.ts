import { defaultKeymap } from '@codemirror/commands'
import { Compartment, EditorState } from '@codemirror/state'
import { EditorView, keymap, placeholder } from '@codemirror/view'
import { yCollab, yUndoManagerKeymap } from 'y-codemirror.next'
import { SocketIOProvider } from 'y-rooms/client'
import { Doc, UndoManager } from 'yjs'
import { token } from '../../room/access-token.ts'
import { checkedAwareness } from '../../room/checked-awareness.ts'
import { element } from '../../room/element.ts'
import { documentName, showRoom, watchAccess, whenContent } from '../../room/room.ts'

const doc = new Doc()
const provider = new SocketIOProvider(location.origin, documentName('codemirror'), doc, { token })
showRoom(provider)
await whenContent(provider)

const text = doc.getText('codemirror')
const awareness = checkedAwareness(provider.awareness)
const access = new Compartment()
const reading = [
  EditorState.readOnly.of(true),
  EditorView.editable.of(false),
  // Browsers offer to undo even here, and the binding would.
  EditorView.domEventHandlers({ beforeinput: () => true }),
]
const view = new EditorView({
  parent: element('editor', HTMLElement),
  // The binding takes over later changes; what is there already is given here.
  doc: text.toJSON(),
  extensions: [
    access.of([]),
    // Tab is left alone: it leads out of the editor for those who have no mouse.
    keymap.of([...yUndoManagerKeymap, ...defaultKeymap]),
    EditorView.lineWrapping,
    EditorView.contentAttributes.of({ 'aria-label': 'Text of the document' }),
    placeholder('Write something. Everyone with the link sees it as you type.'),
    yCollab(text, awareness, { undoManager: new UndoManager(text) }),
  ],
})
watchAccess(provider, (isReadOnly) => {
  view.dispatch({ effects: access.reconfigure(isReadOnly ? reading : []) })
})
