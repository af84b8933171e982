import type { DocumentName, Epoch } from '../../protocol/index.ts'
import { StorageError } from '../errors.ts'
import type {
  Append,
  AppendOutcome,
  DocumentHead,
  ListRequest,
  LogEntry,
  NewSnapshot,
  Storage,
  StoredChunk,
} from './storage.ts'

/** A call on its way to the storage: which method, of which documents, and what a plan may want to decide by. */
export interface StorageCall {
  readonly method: keyof Storage
  /** The documents it is about; none for `open`, `list` and `close`. */
  readonly names: readonly DocumentName[]
  /** How many calls of this method came before it. */
  readonly before: number
  /** Of `readEntries`: the sequence number after which it reads. Above 0 it is no first page, as a rule. */
  readonly after: number | null
  /** Of `readSnapshotChunk`: which chunk, from 0. */
  readonly chunk: number | null
}

/**
 * What goes wrong with a call. Every failure is a `StorageError`, `storage-unavailable` unless said otherwise.
 *
 * - `refused`: rejects, and nothing was done.
 * - `unconfirmed`: everything was done, and it rejects all the same: the disk had it, the answer got lost.
 * - `torn`: an `append` writes its first `documents` documents (default 1) and rejects. Of any other call it is `unconfirmed`.
 * - `damaged`: `record-damaged`. An `append` answers it for the `names` (default all) and writes the others; any other call rejects.
 * - `hanging`: never settles. With `isDone` the work is done before that. `close` then hangs too, as it waits for it.
 */
export type StorageFault =
  | { readonly kind: 'refused' }
  | { readonly kind: 'unconfirmed' }
  | { readonly kind: 'torn'; readonly documents?: number }
  | { readonly kind: 'damaged'; readonly names?: readonly DocumentName[] }
  | { readonly kind: 'hanging'; readonly isDone?: boolean }

/**
 * Asked about every call before it reaches the storage. Null: it goes through in the same turn. A promise holds the
 * call back until it resolves, so that a test decides the order of events.
 */
export type FaultPlan = (call: StorageCall) => StorageFault | null | Promise<StorageFault | null>

/**
 * A storage that fails by plan, around a real one: for the tests of applications and of storages. With a plan that
 * answers null it is the storage inside, and passes `storageContract` like it.
 */
export function faultyStorage(inner: Storage, plan: FaultPlan): Storage {
  return new FaultyStorage(inner, plan)
}

/** A disk that can be filled and emptied: while it is full every write is refused, and reads go on. */
export interface FullDisk {
  readonly plan: FaultPlan
  fill(): void
  heal(): void
}

export function fullDisk(): FullDisk {
  const writes: ReadonlySet<keyof Storage> = new Set([
    'append',
    'replacePrefix',
    'condense',
    'delete',
  ])
  let isFull = false
  return {
    plan: ({ method }) => (isFull && writes.has(method) ? { kind: 'refused' } : null),
    fill: () => void (isFull = true),
    heal: () => void (isFull = false),
  }
}

type CallDetails = Partial<Pick<StorageCall, 'names' | 'after' | 'chunk'>>

class FaultyStorage implements Storage {
  readonly #inner: Storage
  readonly #plan: FaultPlan
  readonly #counts = new Map<keyof Storage, number>()
  /** Calls that the storage inside does not know of: held back, or hanging. */
  readonly #heldBack = new Set<Promise<unknown>>()
  #closing: Promise<void> | null = null

  constructor(inner: Storage, plan: FaultPlan) {
    this.#inner = inner
    this.#plan = plan
  }

  open(): Promise<void> {
    return this.#call('open', {}, () => this.#inner.open())
  }

  head(name: DocumentName): Promise<DocumentHead> {
    return this.#call('head', { names: [name] }, () => this.#inner.head(name))
  }

  append(batch: readonly Append[]): Promise<readonly AppendOutcome[]> {
    return this.#call(
      'append',
      { names: batch.map(({ name }) => name) },
      () => this.#inner.append(batch),
      async (fault) => {
        if (fault.kind === 'torn') {
          await this.#inner.append(batch.slice(0, fault.documents ?? 1))
          throw failed('append', 'torn')
        }
        return fault.kind === 'damaged' ? this.#appendBeside(batch, fault.names) : null
      },
    )
  }

  readEntries(
    name: DocumentName,
    epoch: Epoch,
    after: number,
    maxBytes: number,
  ): Promise<readonly LogEntry[]> {
    return this.#call('readEntries', { names: [name], after }, () =>
      this.#inner.readEntries(name, epoch, after, maxBytes),
    )
  }

  readSnapshotChunk(
    name: DocumentName,
    epoch: Epoch,
    snapshotSeq: number,
    chunk: number,
  ): Promise<Uint8Array | null> {
    return this.#call('readSnapshotChunk', { names: [name], chunk }, () =>
      this.#inner.readSnapshotChunk(name, epoch, snapshotSeq, chunk),
    )
  }

  /** A `readSnapshotChunk` to whoever sets faults. */
  readStoredChunk(
    name: DocumentName,
    epoch: Epoch,
    snapshotSeq: number,
    chunk: number,
  ): Promise<StoredChunk | null> {
    return this.#call('readSnapshotChunk', { names: [name], chunk }, async () => {
      const { readStoredChunk } = this.#inner
      if (readStoredChunk !== undefined)
        return readStoredChunk.call(this.#inner, name, epoch, snapshotSeq, chunk)
      const bytes = await this.#inner.readSnapshotChunk(name, epoch, snapshotSeq, chunk)
      return bytes === null ? null : { bytes: new Uint8Array(bytes), isDeflated: false }
    })
  }

  replacePrefix(name: DocumentName, epoch: Epoch, snapshot: NewSnapshot): Promise<boolean> {
    return this.#call('replacePrefix', { names: [name] }, () =>
      this.#inner.replacePrefix(name, epoch, snapshot),
    )
  }

  condense(name: DocumentName, epoch: Epoch): Promise<boolean> {
    const { condense } = this.#inner
    if (condense === undefined) return Promise.resolve(false)
    return this.#call('condense', { names: [name] }, () => condense.call(this.#inner, name, epoch))
  }

  list(request: ListRequest): Promise<readonly DocumentName[]> {
    return this.#call('list', {}, () => this.#inner.list(request))
  }

  delete(name: DocumentName): Promise<Epoch> {
    return this.#call('delete', { names: [name] }, () => this.#inner.delete(name))
  }

  damagedDocuments(): readonly DocumentName[] {
    return this.#inner.damagedDocuments?.() ?? []
  }

  close(): Promise<void> {
    this.#closing ??= this.#call('close', {}, async () => {
      if (this.#heldBack.size > 0) await Promise.allSettled(this.#heldBack)
      await this.#inner.close()
    })
    return this.#closing
  }

  /** `special`: what a fault does that is this method's alone; null when it does what it does to all. */
  #call<Result>(
    method: keyof Storage,
    details: CallDetails,
    work: () => Promise<Result>,
    special?: (fault: StorageFault) => Promise<Result | null>,
  ): Promise<Result> {
    if (this.#closing !== null && method !== 'close') return work()
    const before = this.#counts.get(method) ?? 0
    this.#counts.set(method, before + 1)
    const call = { method, before, names: [], after: null, chunk: null, ...details }
    const planned = this.#plan(call)
    if (planned === null) return work()
    const run = this.#fail(call, planned, work, special)
    if (method === 'close') return run
    const held = run.finally(() => this.#heldBack.delete(held))
    this.#heldBack.add(held)
    return held
  }

  async #fail<Result>(
    { method }: StorageCall,
    planned: StorageFault | Promise<StorageFault | null>,
    work: () => Promise<Result>,
    special?: (fault: StorageFault) => Promise<Result | null>,
  ): Promise<Result> {
    const fault = await planned
    if (fault === null) return work()
    const result = (await special?.(fault)) ?? null
    if (result !== null) return result
    switch (fault.kind) {
      case 'refused':
        throw failed(method, fault.kind)
      case 'unconfirmed':
      case 'torn':
        await work()
        throw failed(method, fault.kind)
      case 'damaged':
        throw new StorageError('record-damaged', `Injected: ${method} found damage.`)
      case 'hanging':
        if (fault.isDone === true) await work()
        return new Promise<never>(() => undefined)
    }
  }

  async #appendBeside(
    batch: readonly Append[],
    names?: readonly DocumentName[],
  ): Promise<readonly AppendOutcome[]> {
    const isDamaged = ({ name }: Append): boolean => names === undefined || names.includes(name)
    const written = [...(await this.#inner.append(batch.filter((one) => !isDamaged(one))))]
    return batch.map((one): AppendOutcome => {
      const outcome = isDamaged(one) ? undefined : written.shift()
      return outcome ?? { ok: false, code: 'record-damaged' }
    })
  }
}

function failed(method: keyof Storage, kind: StorageFault['kind']): StorageError {
  return new StorageError('storage-unavailable', `Injected: ${method} failed (${kind}).`)
}
