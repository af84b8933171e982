import { move } from 'piscina'
import { diff, fold, merge, toJson, type StoredParts } from './fold.ts'

/** What a worker thread is asked to do. Byte arrays are transferred in both directions, not copied. */
export type FoldTask =
  | { readonly kind: 'fold'; readonly parts: StoredParts }
  | { readonly kind: 'diff'; readonly parts: StoredParts; readonly stateVector: Uint8Array }
  | { readonly kind: 'merge'; readonly parts: StoredParts }
  | { readonly kind: 'json'; readonly parts: StoredParts }

const give = (bytes: Uint8Array): Uint8Array => move(bytes) as unknown as Uint8Array

export function runFoldTask(task: FoldTask): unknown {
  switch (task.kind) {
    case 'fold': {
      const folded = fold(task.parts)
      return { update: give(folded.update), index: folded.index }
    }
    case 'diff':
      return give(diff(task.parts, task.stateVector))
    case 'merge':
      return give(merge(task.parts))
    case 'json':
      return toJson(task.parts)
  }
}

// Piscina's convention: a worker file has one default export.
// eslint-disable-next-line import/no-default-export
export default runFoldTask
