import { mergeAsTree, type Epoch } from '../../protocol/index.ts'
import { ProviderError } from '../provider-error.ts'
import { afterRequest, type Work } from './indexed-database.ts'

/** One entry of the store `updates`: a Yjs update under the number that IndexedDB gave it. */
interface Row {
  readonly key: number
  readonly update: Uint8Array
}

/** Everything that the database holds of its document, as of one moment. */
export interface StoredRows {
  readonly rows: readonly Row[]
  /** Rows that no server has confirmed, with the number of changes in each. */
  readonly pending: ReadonlyMap<number, number>
  readonly label: Label
  /** False in a new database, and in one of y-indexeddb. */
  readonly hasLabel: boolean
}

/** What the database says of itself, in `custom`. */
interface Label {
  /** The history that the rows belong to; null before the first server. */
  readonly epoch: Epoch | null
  /** The last row that was written with this label. A later one is y-indexeddb's. */
  readonly lastRow: number
  /** Grows when the rows are set aside: whoever loaded before that must not write any more. */
  readonly generation: number
}

/** Keys of y-indexeddb's `custom` are the application's own strings. Arrays stay out of their way. */
const LABEL = ['y-rooms', 'label']
const pendingKey = (row: number): IDBValidKey => ['y-rooms', 'pending', row]
const asideKey = (generation: number): IDBValidKey => ['y-rooms', 'aside', generation]
/** An array sorts after every number. */
const allBelow = (kind: 'pending' | 'aside'): IDBKeyRange =>
  IDBKeyRange.bound(['y-rooms', kind], ['y-rooms', kind, []])

const NO_LABEL: Label = { epoch: null, lastRow: 0, generation: 0 }

/** Whose rows: of which filling of the database, and of which history on the server once it is known. */
export type History = Pick<Label, 'epoch' | 'generation'>

/** Two pages that found the same empty database may since have heard of two different histories. */
function isOneHistory(left: History, right: History): boolean {
  if (left.generation !== right.generation) return false
  return left.epoch === null || right.epoch === null || left.epoch === right.epoch
}

export const readRows: Work<StoredRows> = ({ updates, custom }) => {
  const keys = updates.getAllKeys() as IDBRequest<number[]>
  const bytes = updates.getAll() as IDBRequest<Uint8Array[]>
  const pendingKeys = custom.getAllKeys(allBelow('pending'))
  const pendingChanges = custom.getAll(allBelow('pending')) as IDBRequest<number[]>
  const label = custom.get(LABEL) as IDBRequest<Label | undefined>
  return () => ({
    rows: keys.result.map((key, index) => ({ key, update: bytes.result[index] as Uint8Array })),
    pending: new Map(
      pendingKeys.result.map((key, index) => [
        (key as [string, string, number])[2],
        pendingChanges.result[index] as number,
      ]),
    ),
    label: label.result ?? NO_LABEL,
    hasLabel: label.result !== undefined,
  })
}

/** Unconfirmed rows other than these. */
export const readOrphans =
  (known: ReadonlySet<number>): Work<StoredRows> =>
  ({ updates, custom }) => {
    const rows: Row[] = []
    const pending = new Map<number, number>()
    const label = custom.get(LABEL) as IDBRequest<Label | undefined>
    afterRequest(custom.getAllKeys(allBelow('pending')), (keys) => {
      for (const key of keys) {
        const row = (key as [string, string, number])[2]
        if (known.has(row)) continue
        afterRequest(custom.get(key) as IDBRequest<number>, (changes) => pending.set(row, changes))
        afterRequest(updates.get(row) as IDBRequest<Uint8Array | undefined>, (update) => {
          if (update !== undefined) rows.push({ key: row, update })
        })
      }
    })
    return () => ({
      rows,
      pending,
      label: label.result ?? NO_LABEL,
      hasLabel: label.result !== undefined,
    })
  }

/** How many changes no server has confirmed. */
export const countPending: Work<number> = ({ custom }) => {
  const changes = custom.getAll(allBelow('pending')) as IDBRequest<number[]>
  return () => changes.result.reduce((sum, count) => sum + count, 0)
}

export interface Batch {
  /** The writer has seen a label: if there is none, the user or the browser has deleted everything. */
  readonly expectsLabel: boolean
  readonly generation: number
  readonly epoch: Epoch | null
  /** What the server has. */
  readonly confirmed: Uint8Array | null
  /** What the server may lack, and how many changes that is. */
  readonly pending: { readonly update: Uint8Array; readonly changes: number } | null
  /** Rows whose content the server has by now. */
  readonly nowConfirmed: readonly number[]
  /** Rows that `confirmed` stands for: they go. */
  readonly replaced: readonly number[]
  /** The last row that the writer knows; with the label, it says that there is none of y-indexeddb before it. */
  readonly lastKnownRow: number
}

export interface WrittenKeys {
  confirmed: number | null
  pending: number | null
}

/** The reason of a batch that fails because what the writer had stored is not there any more. */
export const COPY_IS_GONE = Symbol('the local copy was deleted')

/** Writes all of it, or nothing. Fails with `document-reset` if the rows are by now those of another history. */
export const writeBatch =
  (batch: Batch): Work<WrittenKeys> =>
  ({ updates, custom }) => {
    const written: WrittenKeys = { confirmed: null, pending: null }
    const { confirmed, pending } = batch
    afterRequest(custom.get(LABEL) as IDBRequest<Label | undefined>, (found) => {
      if (found === undefined && batch.expectsLabel) throw COPY_IS_GONE
      const label = found ?? NO_LABEL
      if (!isOneHistory(label, batch))
        throw new ProviderError('document-reset', 'the local copy was set aside', {
          retry: 'never',
        })
      let lastRow = Math.max(label.lastRow, batch.lastKnownRow)
      const writeLabel = (): void =>
        void custom.put({ ...label, epoch: batch.epoch ?? label.epoch, lastRow }, LABEL)
      for (const row of batch.nowConfirmed) custom.delete(pendingKey(row))
      for (const range of keyRanges(batch.replaced)) updates.delete(range)
      if (confirmed !== null)
        afterRequest(updates.add(confirmed) as IDBRequest<number>, (key) => {
          lastRow = written.confirmed = key
          writeLabel()
        })
      if (pending !== null)
        afterRequest(updates.add(pending.update) as IDBRequest<number>, (key) => {
          lastRow = written.pending = key
          // In the same transaction: a change that is stored is known to be unconfirmed.
          custom.put(pending.changes, pendingKey(key))
          writeLabel()
        })
      if (confirmed === null && pending === null) writeLabel()
    })
    return () => written
  }

/** A local copy whose history has ended on the server. */
export interface AsideCopy {
  readonly epoch: Epoch | null
  /** The whole document, as one Yjs update. */
  readonly update: Uint8Array
  /** What no server had confirmed, as one Yjs update. */
  readonly pendingUpdate: Uint8Array | null
  /** Milliseconds since 1970. */
  readonly setAsideAt: number
}

/**
 * Moves all rows under a key of their own, so that the next history begins with an empty store. Rows of
 * another history than `ended` stay; null: all go.
 */
export const setRowsAside =
  (now: number, ended: History | null): Work<number> =>
  (stores) => {
    const { updates, custom } = stores
    const finish = readRows(stores)
    let generation = 0
    // Requests are answered in order: when this one is, those of `readRows` are.
    afterRequest(custom.get(LABEL) as IDBRequest<unknown>, () => {
      const { rows, pending, label } = finish()
      generation = label.generation
      if (ended !== null && !isOneHistory(label, ended)) return
      generation += 1
      if (rows.length > 0) {
        const unconfirmed = rows.filter(({ key }) => pending.has(key))
        const copy: AsideCopy = {
          epoch: label.epoch,
          update: mergeAsTree(rows.map(({ update }) => update)),
          pendingUpdate:
            unconfirmed.length === 0 ? null : mergeAsTree(unconfirmed.map(({ update }) => update)),
          setAsideAt: now,
        }
        custom.put(copy, asideKey(generation))
      }
      updates.clear()
      custom.delete(allBelow('pending'))
      custom.put({ ...NO_LABEL, generation } satisfies Label, LABEL)
    })
    return () => generation
  }

/** Oldest first. */
export const readAside: Work<AsideCopy[]> = ({ custom }) => {
  const copies = custom.getAll(allBelow('aside')) as IDBRequest<AsideCopy[]>
  return () => copies.result
}

export const clearAside: Work<void> = ({ custom }) => {
  custom.delete(allBelow('aside'))
  return () => undefined
}

/** Ranges without holes: a key in between may be a row that another page has just written. */
function keyRanges(keys: readonly number[]): IDBKeyRange[] {
  const ranges: [number, number][] = []
  for (const key of [...keys].sort((left, right) => left - right)) {
    const last = ranges.at(-1)
    if (last !== undefined && last[1] === key - 1) last[1] = key
    else ranges.push([key, key])
  }
  return ranges.map(([from, to]) => IDBKeyRange.bound(from, to))
}
