import { Editor } from '@tiptap/core'
import Collaboration from '@tiptap/extension-collaboration'
import CollaborationCaret from '@tiptap/extension-collaboration-caret'
import { TaskItem, TaskList } from '@tiptap/extension-list'
import { Placeholder } from '@tiptap/extensions'
import StarterKit from '@tiptap/starter-kit'
import type { Awareness } from 'y-protocols/awareness'
import type { Doc } from 'yjs'
import { caretOf, tintOf } from '../room/caret.ts'
import { readPerson } from '../room/person.ts'
import { BlockInHand } from './block-in-hand.ts'

/** A Tiptap editor of the document. */
export function createEditor(parent: HTMLElement, document: Doc, awareness: Awareness): Editor {
  const provider = { awareness }
  return new Editor({
    element: parent,
    extensions: [
      StarterKit.configure({
        // The history of Collaboration takes back one's own edits only; this one would take back everybody's.
        undoRedo: false,
        // It would write into documents that we may only read.
        trailingNode: false,
        heading: { levels: [1, 2, 3] },
        link: { openOnClick: false, defaultProtocol: 'https' },
      }),
      TaskList,
      TaskItem.configure({
        nested: true,
        a11y: { checkboxLabel: (item) => item.textContent || 'Empty task' },
      }),
      Placeholder.configure({
        placeholder: 'Write something. Everyone with the link sees it as you type.',
      }),
      BlockInHand,
      Collaboration.configure({ document }),
      CollaborationCaret.configure({
        provider,
        // The bar has announced us already; the extension would do it again in its own way.
        user: awareness.getLocalState()?.['user'] ?? {},
        render: (user) => caretOf(readPerson(user)),
        selectionRender: (user) => ({
          nodeName: 'span',
          class: 'others-selection',
          style: `background-color: ${tintOf(readPerson(user))}`,
        }),
      }),
    ],
    editorProps: {
      attributes: {
        'aria-label': 'Text of the document',
        role: 'textbox',
        'aria-multiline': 'true',
      },
    },
  })
}
