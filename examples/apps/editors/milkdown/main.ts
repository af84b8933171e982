import {
  defaultValueCtx,
  Editor,
  editorViewCtx,
  editorViewOptionsCtx,
  rootCtx,
} from '@milkdown/core'
import { collab, collabServiceCtx } from '@milkdown/plugin-collab'
import { commonmark } from '@milkdown/preset-commonmark'
import { SocketIOProvider } from 'y-rooms/client'
import { Doc } from 'yjs'
import { token } from '../../room/access-token.ts'
import { caretOf, tintOf } from '../../room/caret.ts'
import { element } from '../../room/element.ts'
import { readPerson } from '../../room/person.ts'
import { documentName, showRoom, watchAccess, whenContent } from '../../room/room.ts'

const doc = new Doc()
const provider = new SocketIOProvider(location.origin, documentName('milkdown'), doc, { token })
showRoom(provider)
await whenContent(provider)

let isReadOnly = false
const editor = await Editor.make()
  .config((context) => {
    context.set(rootCtx, element('editor', HTMLElement))
    // The document brings the content.
    context.set(defaultValueCtx, '')
    context.set(editorViewOptionsCtx, {
      editable: () => !isReadOnly,
      attributes: {
        'aria-label': 'Text of the document',
        role: 'textbox',
        'aria-multiline': 'true',
      },
    })
  })
  .use(commonmark)
  .use(collab)
  .create()

editor.action((context) => {
  context
    .get(collabServiceCtx)
    .setOptions({
      yCursorOpts: {
        cursorBuilder: (user: unknown) => caretOf(readPerson(user)),
        selectionBuilder: (user: unknown) => ({
          style: `background-color: ${tintOf(readPerson(user))}`,
        }),
      },
    })
    .bindDoc(doc)
    .setAwareness(provider.awareness)
    .connect()
})
watchAccess(provider, (answer) => {
  isReadOnly = answer
  editor.action((context) => context.get(editorViewCtx).setProps({}))
})
