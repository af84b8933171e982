import { Piscina } from 'piscina'
import type { Folded, StoredParts } from './fold.ts'
import type { FoldTask, PackedParts } from './fold-worker.ts'
import { PackedUpdates } from './packed-updates.ts'

/**
 * The only place on the server where documents exist as Y.Docs: worker threads, so that loading a
 * large document stalls nobody. The snapshot handed over is given away (its buffer is transferred, so it
 * must be nobody else's), and so are updates that are packed; others are copied.
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

/**
 * Of the thread's heap, for what is new: V8 takes 48 of them by itself, all of which stay resident. Folding is not slower with a third (5.5 s for
 * 11 MB of a long history either way; with a sixth 7), and a thread that folds 8,000 keystrokes takes 34 MB instead of 53.
 */
const YOUNG_GENERATION_MB = 16

export function threadWorker(maxTaskMs = MAX_TASK_MS): DocumentWorker {
  const pool = new Piscina({
    filename: new URL('./fold-worker.js', import.meta.url).href,
    minThreads: 0,
    // Folding is background work; one thread leaves the other core to the relay.
    maxThreads: 1,
    idleTimeout: 30_000,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
  })
  // One after the other, here and not in the pool: the time of a task begins when it begins.
  let last: Promise<unknown> = Promise.resolve()
  const run = <Result>(task: FoldTask): Promise<Result> => {
    const { snapshot, pages } = task.parts
    const given = pages.flatMap(({ bytes, lengths }) => [bytes, lengths])
    if (snapshot instanceof Uint8Array) given.push(snapshot)
    else if (snapshot !== null) given.push(...snapshot.chunks.map(({ bytes }) => bytes))
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

function packed({ snapshot, index, updates }: StoredParts): PackedParts {
  return { snapshot, index, pages: PackedUpdates.of(updates).pages }
}
