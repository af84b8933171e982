import { Piscina } from 'piscina'
import type { Folded, StoredParts } from './fold.ts'
import type { FoldTask, PackedParts } from './fold-worker.ts'
import { packUpdates } from './packed-updates.ts'

/**
 * The only place on the server where documents exist as Y.Docs: worker threads, so that loading a
 * large document stalls nobody. The snapshot handed over is given away (its buffer is transferred, so it
 * must be nobody else's); the updates are copied, all into one buffer, because recent entries and storages still hold them.
 */
export interface DocumentWorker {
  fold(parts: StoredParts): Promise<Folded>
  diff(parts: StoredParts, stateVector: Uint8Array): Promise<Uint8Array>
  merge(parts: StoredParts): Promise<Uint8Array>
  toJson(parts: StoredParts): Promise<Uint8Array>
  close(): Promise<void>
}

/**
 * A task that takes longer is given up with its thread. The largest published editing trace folds in some 3 s; a writer who
 * means harm can make Yjs take hours for a few megabytes, and other documents must not wait for that.
 */
const MAX_TASK_MS = 120_000

export function threadWorker(maxTaskMs = MAX_TASK_MS): DocumentWorker {
  const pool = new Piscina({
    filename: new URL('./fold-worker.js', import.meta.url).href,
    minThreads: 0,
    // Folding is background work; one thread leaves the other core to the relay.
    maxThreads: 1,
    idleTimeout: 30_000,
  })
  // One after the other, here and not in the pool: the time of a task begins when it begins.
  let last: Promise<unknown> = Promise.resolve()
  const run = <Result>(task: FoldTask): Promise<Result> => {
    const { snapshot, updates } = task.parts
    const given = [updates.bytes, updates.lengths, ...(snapshot === null ? [] : [snapshot])]
    const result = last.then(() =>
      pool.run(task, {
        signal: AbortSignal.timeout(maxTaskMs),
        transferList: given.map((bytes) => bytes.buffer as ArrayBuffer),
      }),
    ) as Promise<Result>
    last = result.catch(() => undefined)
    return result
  }
  return {
    fold: (parts) => run({ kind: 'fold', parts: packed(parts) }),
    diff: (parts, stateVector) => run({ kind: 'diff', parts: packed(parts), stateVector }),
    merge: (parts) => run({ kind: 'merge', parts: packed(parts) }),
    toJson: (parts) => run({ kind: 'json', parts: packed(parts) }),
    close: () => pool.destroy(),
  }
}

function packed(parts: StoredParts): PackedParts {
  return { ...parts, updates: packUpdates(parts.updates) }
}
