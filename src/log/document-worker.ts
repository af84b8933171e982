import { Piscina } from 'piscina'
import type { Folded, StoredParts } from './fold.ts'
import type { FoldTask } from './fold-worker.ts'

/**
 * The only place on the server where documents exist as Y.Docs: worker threads, so that loading a
 * large document stalls nobody. The snapshot handed over is given away (its buffer is transferred, so it
 * must be nobody else's); the updates are copied, because recent entries and storages still hold them.
 */
export interface DocumentWorker {
  fold(parts: StoredParts): Promise<Folded>
  diff(parts: StoredParts, stateVector: Uint8Array): Promise<Uint8Array>
  merge(parts: StoredParts): Promise<Uint8Array>
  toJson(parts: StoredParts): Promise<Record<string, unknown>>
  close(): Promise<void>
}

export function threadWorker(): DocumentWorker {
  const pool = new Piscina({
    filename: new URL('./fold-worker.js', import.meta.url).href,
    minThreads: 0,
    // Folding is background work; one thread leaves the other core to the relay.
    maxThreads: 1,
    idleTimeout: 30_000,
  })
  const run = <Result>(task: FoldTask): Promise<Result> =>
    pool.run(task, {
      transferList: task.parts.snapshot === null ? [] : [task.parts.snapshot.buffer as ArrayBuffer],
    }) as Promise<Result>
  return {
    fold: (parts) => run({ kind: 'fold', parts }),
    diff: (parts, stateVector) => run({ kind: 'diff', parts, stateVector }),
    merge: (parts) => run({ kind: 'merge', parts }),
    toJson: (parts) => run({ kind: 'json', parts }),
    close: () => pool.destroy(),
  }
}
