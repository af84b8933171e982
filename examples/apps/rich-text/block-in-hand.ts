import { Extension } from '@tiptap/core'
import { Plugin } from '@tiptap/pm/state'
import { Decoration, DecorationSet } from '@tiptap/pm/view'

/**
 * Marks the block with the caret. A new block is out of sight to the browser until the next frame; if it were not laid out
 * until then, keys that come within the same frame would go astray.
 */
export const BlockInHand = Extension.create({
  name: 'blockInHand',
  addProseMirrorPlugins: () => [
    new Plugin({
      props: {
        decorations({ doc, selection: { $head } }) {
          if ($head.depth === 0) return null
          const mark = Decoration.node($head.before(1), $head.after(1), { class: 'in-hand' })
          return DecorationSet.create(doc, [mark])
        },
      },
    }),
  ],
})
