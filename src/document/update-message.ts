import { mergeAsTree } from '../../protocol/index.ts'
import type { RecentEntry } from './recent-entries.ts'

/** Log entries on their way to the members of a document, as one update. One object for all recipients. */
export interface UpdateMessage {
  readonly from: number
  readonly to: number
  readonly update: Uint8Array
  /** The author, when all entries have the same one. */
  readonly origin: object | null
}

export function updateMessage(entries: readonly RecentEntry[]): UpdateMessage {
  const first = entries[0]
  const last = entries.at(-1)
  if (first === undefined || last === undefined) throw new RangeError('no entries to relay')
  return {
    from: first.seq,
    to: last.seq,
    update: mergeAsTree(entries.map((entry) => entry.update)),
    origin: entries.every((entry) => entry.origin === first.origin) ? first.origin : null,
  }
}
