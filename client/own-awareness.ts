import { Awareness } from 'y-protocols/awareness'
import type * as Y from 'yjs'

export interface OwnAwareness {
  readonly awareness: Awareness
  /** Stops its timer and takes its listener off the Y.Doc. */
  destroy(): void
}

/**
 * An Awareness that can be taken back. The one of y-protocols leaves its `destroy` listener on the
 * Y.Doc, so that a document opened many times in its life would keep all of them in memory.
 */
export function createOwnAwareness(doc: Y.Doc): OwnAwareness {
  const before = new Set(doc._observers.get('destroy'))
  const awareness = new Awareness(doc)
  const added = [...(doc._observers.get('destroy') ?? [])].filter((f) => !before.has(f))
  return {
    awareness,
    destroy() {
      for (const listener of added) doc.off('destroy', listener)
      awareness.destroy()
    },
  }
}
