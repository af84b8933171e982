import type { Storage } from '../../src/storage/storage.ts'

type Call = 'head' | 'append' | 'readEntries' | 'readSnapshotChunk' | 'replacePrefix'

/** A storage whose calls are counted, and wait where a test has closed a gate. */
export interface GatedStorage extends Storage {
  readonly calls: Record<Call, number>
  /** From now on these calls wait, having reached nothing yet. Resolves when the first one waits. */
  hold(call: Call): Promise<void>
  /** Lets everything through that waits, and what comes later. */
  release(call: Call): void
}

export function gatedStorage(storage: Storage): GatedStorage {
  const calls = { head: 0, append: 0, readEntries: 0, readSnapshotChunk: 0, replacePrefix: 0 }
  const gates = new Map<Call, { opened: Promise<void>; open(): void; arrived(): void }>()
  const pass =
    <Arguments extends unknown[], Result>(
      call: Call,
      run: (...args: Arguments) => Promise<Result>,
    ) =>
    async (...args: Arguments): Promise<Result> => {
      calls[call]++
      const gate = gates.get(call)
      gate?.arrived()
      await gate?.opened
      return run(...args)
    }
  return {
    calls,
    hold(call) {
      let open = (): void => undefined
      const opened = new Promise<void>((resolve) => (open = resolve))
      return new Promise((arrived) => gates.set(call, { opened, open, arrived }))
    },
    release(call) {
      gates.get(call)?.open()
      gates.delete(call)
    },
    open: () => storage.open(),
    head: pass('head', (name) => storage.head(name)),
    append: pass('append', (batch) => storage.append(batch)),
    readEntries: pass('readEntries', (...args) => storage.readEntries(...args)),
    readSnapshotChunk: pass('readSnapshotChunk', (...args) => storage.readSnapshotChunk(...args)),
    replacePrefix: pass('replacePrefix', (...args) => storage.replacePrefix(...args)),
    ...(storage.condense && { condense: storage.condense.bind(storage) }),
    list: (request) => storage.list(request),
    delete: (name) => storage.delete(name),
    close: () => storage.close(),
  }
}
