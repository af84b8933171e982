import { useEffect, useState } from 'react'
import type { UndoManager } from 'yjs'

/** In place of Excalidraw's own, which would take back what others did as well. */
export function UndoButtons({ undoManager }: { undoManager: UndoManager }) {
  const [, refresh] = useState(0)
  useEffect(() => {
    const change = (): void => refresh((count) => count + 1)
    const events = ['stack-item-added', 'stack-item-popped', 'stack-cleared'] as const
    for (const event of events) undoManager.on(event, change)
    return () => {
      for (const event of events) undoManager.off(event, change)
    }
  }, [undoManager])
  return (
    <div className="my-undo" role="group" aria-label="My changes">
      <button
        type="button"
        aria-label="Undo my last change"
        title="Undo my last change (Ctrl+Z)"
        disabled={undoManager.undoStack.length === 0}
        onClick={() => undoManager.undo()}
      >
        <svg viewBox="0 0 20 20" aria-hidden="true">
          <path d="M4.5 8h7a4 4 0 0 1 0 8H9M4.5 8l3-3M4.5 8l3 3" />
        </svg>
      </button>
      <button
        type="button"
        aria-label="Redo"
        title="Redo (Ctrl+Shift+Z)"
        disabled={undoManager.redoStack.length === 0}
        onClick={() => undoManager.redo()}
      >
        <svg viewBox="0 0 20 20" aria-hidden="true">
          <path d="M15.5 8h-7a4 4 0 0 0 0 8H11M15.5 8l-3-3M15.5 8l-3 3" />
        </svg>
      </button>
    </div>
  )
}
