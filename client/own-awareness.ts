import { Awareness } from 'y-protocols/awareness'
import type * as Y from 'yjs'

export interface OwnAwareness {
  readonly awareness: Awareness
  /** From now on it ends with another Y.Doc. */
  moveTo(doc: Y.Doc): void
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
  let current = doc
  const letGo = (): void => {
    for (const listener of added) current.off('destroy', listener)
  }
  return {
    awareness,
    moveTo(next) {
      letGo()
      current = next
      for (const listener of added) next.on('destroy', listener)
    },
    destroy() {
      letGo()
      awareness.destroy()
    },
  }
}

/** Announces the local state as that of another Y.Doc: client ids belong to one. */
export function moveLocalState(awareness: Awareness, doc: Y.Doc): void {
  const state = awareness.getLocalState()
  awareness.setLocalState(null)
  awareness.doc = doc
  awareness.clientID = doc.clientID
  awareness.setLocalState(state)
}
