import { readlinkSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import { basename } from 'node:path'
import { move, transferableSymbol, valueSymbol } from 'piscina'
import type { StoredParts } from './fold.ts'
import { PackedUpdates, type UpdatePage } from './packed-updates.ts'

/** A stored document on its way to a worker thread. */
export type PackedParts = Omit<StoredParts, 'updates'> & { readonly pages: UpdatePage[] }

/** What a worker thread is asked to do. Byte arrays are transferred in both directions, not copied. */
export type FoldTask =
  | { readonly kind: 'fold'; readonly parts: PackedParts }
  | { readonly kind: 'diff'; readonly parts: PackedParts; readonly stateVector: Uint8Array }
  | { readonly kind: 'merge'; readonly parts: PackedParts }
  | { readonly kind: 'json'; readonly parts: PackedParts }

/**
 * Lets this thread give way to the relay where they share a core: a fold of 100 ms otherwise delays keystrokes by as much. Linux
 * has a priority for each thread, and tells a thread its number; elsewhere the one of the process stays.
 */
function giveWay(): void {
  try {
    setPriority(
      Number(basename(readlinkSync('/proc/thread-self'))),
      constants.priority.PRIORITY_BELOW_NORMAL,
    )
  } catch {
    // It is only slower.
  }
}

giveWay()
// Not before: loading Yjs is already work.
const { deflateChunks } = await import('../storage/chunk-records.ts')
const { diff, fold, merge, toJson } = await import('./fold.ts')

/** Sends a result back with the buffers of `given` transferred; Piscina only looks at the outermost value. */
function give<Result extends object>(result: Result, ...given: readonly Uint8Array[]): Result {
  const transfer = {
    get [transferableSymbol]() {
      return given.map(({ buffer }) => buffer)
    },
    get [valueSymbol]() {
      return result
    },
  }
  return move(transfer) as unknown as Result
}

// Piscina's convention: a worker file has one default export.
// eslint-disable-next-line import/no-default-export
export default function runFoldTask(task: FoldTask): unknown {
  const { snapshot, index, pages } = task.parts
  const parts: StoredParts = { snapshot, index, updates: new PackedUpdates(pages) }
  switch (task.kind) {
    case 'fold': {
      const folded = fold(parts)
      // Here, and not on the thread pool, which competes with the relay for its core.
      const deflatedChunks = deflateChunks(folded.update, folded.index)
      return give({ ...folded, deflatedChunks }, folded.update, folded.index, ...deflatedChunks)
    }
    case 'diff': {
      const update = diff(parts, task.stateVector)
      return give(update, update)
    }
    case 'merge': {
      const update = merge(parts)
      return give(update, update)
    }
    case 'json': {
      const json = toJson(parts)
      return give(json, json)
    }
  }
}
