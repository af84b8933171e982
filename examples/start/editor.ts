import { defaultKeymap } from '@codemirror/commands'
import { EditorState } from '@codemirror/state'
import { EditorView, keymap, placeholder } from '@codemirror/view'
import { yCollab, yUndoManagerKeymap } from 'y-codemirror.next'
import type { Awareness } from 'y-protocols/awareness'
import { UndoManager, type Text } from 'yjs'
import { checkedAwareness } from './checked-awareness.ts'

/** An editor of the text as it is now; later changes flow both ways. Undo takes back one's own edits only. */
export function createEditor(parent: HTMLElement, text: Text, awareness: Awareness): EditorView {
  return new EditorView({
    parent,
    state: EditorState.create({
      doc: text.toJSON(),
      extensions: [
        // Tab is left alone: it leads out of the editor for those who have no mouse.
        keymap.of([...yUndoManagerKeymap, ...defaultKeymap]),
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({
          'aria-label': 'Text of the document',
          spellcheck: 'true',
          autocorrect: 'on',
          autocapitalize: 'sentences',
        }),
        placeholder('Write something. Everyone with the link sees it as you type.'),
        yCollab(text, checkedAwareness(awareness), { undoManager: new UndoManager(text) }),
      ],
    }),
  })
}
