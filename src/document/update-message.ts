import { LARGE_MESSAGE_BYTES, mergeAsTree } from '../../protocol/index.ts'
import type { RecentEntry } from './recent-entries.ts'

/** Log entries on their way to the members of a document, as one update. One object for all recipients. */
export interface UpdateMessage {
  readonly from: number
  readonly to: number
  readonly update: Uint8Array
  /** The author, when all entries have the same one. */
  readonly origin: object | null
}

/** No structs, no deletions. */
const NOTHING = new Uint8Array([0, 0])
const announcements = new WeakMap<UpdateMessage, UpdateMessage>()

/** Says how far the log reaches, by an update that begins behind it: whoever gets it reads what is missing. */
export function announcementOf(seq: number): UpdateMessage {
  return { from: seq + 1, to: seq, update: NOTHING, origin: null }
}

/**
 * The message as clients get it: a large one is only announced, and they read it in chunks. One object for all recipients.
 */
export function asSent(message: UpdateMessage): UpdateMessage {
  if (message.update.length <= LARGE_MESSAGE_BYTES) return message
  let announcement = announcements.get(message)
  if (announcement === undefined) {
    announcements.set(message, (announcement = announcementOf(message.to)))
  }
  return announcement
}

export function updateMessage(entries: readonly RecentEntry[]): UpdateMessage {
  const first = entries[0]
  const last = entries.at(-1)
  if (first === undefined || last === undefined) throw new RangeError('no entries to relay')
  return new MergedEntries(first, last, entries)
}

/** Merged when somebody asks: who types alone hears nothing of it, and merging was an eighth of the time that a keystroke took. */
class MergedEntries implements UpdateMessage {
  readonly from: number
  readonly to: number
  readonly origin: object | null
  readonly #entries: readonly RecentEntry[]
  #update: Uint8Array | null = null

  constructor(first: RecentEntry, last: RecentEntry, entries: readonly RecentEntry[]) {
    this.from = first.seq
    this.to = last.seq
    this.origin = entries.every((entry) => entry.origin === first.origin) ? first.origin : null
    this.#entries = entries
  }

  get update(): Uint8Array {
    return (this.#update ??= mergeAsTree(this.#entries.map(({ update }) => update)))
  }
}
