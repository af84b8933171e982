import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import type { User } from '../access/access.ts'
import type { CancelTimer, Clock } from '../clock.ts'
import { DocumentError } from '../errors.ts'
import { FewMap } from '../few-map.ts'
import { isJson } from '../update/json-syntax.ts'

/** A member of a document as far as presence goes. */
export interface PresenceOwner {
  readonly user: User | null
  /** The Yjs client ids that this member joined with; only these are its to announce. */
  hasClientId(clientId: number): boolean
}

export interface PresenceOptions {
  readonly clock: Clock
  readonly intervalMs: number
  readonly refreshMs: number
  readonly maxStateBytes: number
  /** All states together; a joining client gets them in one answer. */
  readonly maxDocumentBytes: number
  /** Sends an encoded awareness update to every member, except one where it concerns that one only. */
  send(update: Uint8Array, except: PresenceOwner | null): void
  memberCount(): number
  /** Somebody's state is another one now, or gone. Does not throw. */
  handleChange?(...change: PresenceChange): void
}

/** Whose state, under which client id, as JSON. */
export type PresenceChange = [user: User | null, clientId: number, json: string | null]

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

interface Entry {
  readonly owner: PresenceOwner
  /** The state as JSON, as it goes to the others. */
  json: string
  /** Of its JSON and the entry. */
  readonly bytes: number
  clock: number
  sentAt: number
  /** Somebody may have been given this client id: its end has to be told. */
  isKnown: boolean
}

/** A client announces itself; more ids than this in one message is not a client. */
const MAX_IDS_PER_MESSAGE = 32
/** How deep a state's objects and lists may nest, as values in a document. */
const MAX_STATE_NESTING = 64
/** Who left is remembered for members that are congested meanwhile; beyond this, peers find out by their 30 s timeout. */
const MAX_LEFT = 1024
/** What an entry takes in memory and on the wire beside its JSON: bounds the number of empty states. */
const ENTRY_BYTES = 64
/**
 * The interval grows by one millisecond per member, up to this. To send the carets of 1,500 people to each of them takes another tenth of a second or
 * two, so presence is never staler than a second.
 */
const MAX_PRESENCE_INTERVAL_MS = 800

/**
 * Who is in a document, owned by the server: ids belong to the member that joined with them and go
 * when it goes, the latest state wins, and changes are sent together once per interval. Never stored.
 *
 * Clocks are the server's own, so that a client that returns with the clock it left with is seen at once (peers
 * ignore clocks that do not rise). They start at the time of day to rise across restarts too.
 */
export class Presence {
  readonly #options: PresenceOptions
  readonly #entries = new FewMap<number, Entry>()
  /** Ids to send, with the member that the change concerns. Removed ids have no entry any more. */
  readonly #changed = new FewMap<number, PresenceOwner | null>()
  /** Who left, oldest first, with the number of that change: for members that were not told. */
  readonly #left = new FewMap<number, number>()
  #changes = 0
  #sentChanges = 0
  #bytes = 0
  #lastClock = 0
  #flushedAt = -Infinity
  #cancelFlush: CancelTimer | null = null
  #cancelRefresh: CancelTimer | null = null

  constructor(options: PresenceOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#entries.size
  }

  /** Takes a y-protocols awareness update from a member. All of it, or a `DocumentError` and nothing. */
  handleUpdate(owner: PresenceOwner, update: Uint8Array): void {
    const states = this.#parse(owner, update)
    this.#checkRoom(owner, states)
    for (const [clientId, json] of states) {
      if (json === null) {
        if (this.#entries.get(clientId)?.owner === owner) this.#forget(clientId, owner)
        continue
      }
      const entry = this.#entries.get(clientId)
      // Yjs clients repeat an unchanged state every 15 s to stay visible; the refresh does that here.
      if (entry?.owner === owner && entry.json === json) continue
      this.#set(owner, clientId, json)
    }
    this.#schedule()
  }

  #set(owner: PresenceOwner, clientId: number, json: string): void {
    const entry = this.#entries.get(clientId)
    const bytes = sizeOf(json)
    this.#bytes += bytes - (entry?.bytes ?? 0)
    // Without an entry: it left a moment ago, and not everybody has heard of it yet.
    const isKnown = entry?.isKnown ?? (this.#changed.has(clientId) || this.#left.has(clientId))
    this.#entries.set(clientId, {
      owner,
      json,
      bytes,
      clock: this.#nextClock(),
      sentAt: 0,
      isKnown,
    })
    this.#change(clientId, owner)
    this.#options.handleChange?.(owner.user, clientId, json)
  }

  /** The identity of a member is another one: what it announced last is shown with it. */
  restamp(owner: PresenceOwner, clientId: number): void {
    const entry = this.#entries.get(clientId)
    const identity = owner.user?.presence
    if (entry?.owner !== owner || identity === undefined) return
    const json = JSON.stringify(stamp(JSON.parse(entry.json) as object, identity))
    if (json === entry.json) return
    this.#set(owner, clientId, json)
    this.#schedule()
  }

  /** A member lost a client id (it left, or another connection took the id over). */
  removeClient(owner: PresenceOwner, clientId: number): void {
    if (this.#entries.get(clientId)?.owner === owner) this.#forget(clientId, owner)
    this.#schedule()
  }

  /** How many changes were sent. A member that misses messages from here on hears of the rest by `encodeSince`. */
  get sentChanges(): number {
    return this.#sentChanges
  }

  /** Everybody present, and who left after that many changes; null when there is neither. */
  encodeSince(changes: number): Uint8Array | null {
    const ids = [...this.#entries.keys()]
    for (const [clientId, change] of this.#left) if (change > changes) ids.push(clientId)
    return ids.length === 0 ? null : this.#encode(ids)
  }

  /** Everybody present, or null when nobody is. */
  encodeAll(): Uint8Array | null {
    return this.#entries.size === 0 ? null : this.#encode([...this.#entries.keys()])
  }

  #markSent(clientIds: readonly number[]): void {
    const now = this.#options.clock.now()
    for (const clientId of clientIds) {
      const entry = this.#entries.get(clientId)
      if (entry !== undefined) entry.sentAt = now
    }
  }

  close(): void {
    this.#cancelFlush?.()
    this.#cancelRefresh?.()
    this.#cancelFlush = null
    this.#cancelRefresh = null
    this.#entries.clear()
    this.#left.clear()
    this.#bytes = 0
    this.#changed.clear()
  }

  #forget(clientId: number, owner: PresenceOwner): void {
    const entry = this.#entries.get(clientId)
    this.#bytes -= entry?.bytes ?? 0
    this.#entries.delete(clientId)
    this.#options.handleChange?.(owner.user, clientId, null)
    // Came and went between two messages: however many do, nobody needs to hear of them. [T43]
    if (entry?.isKnown === false) {
      this.#changed.delete(clientId)
      return
    }
    this.#change(clientId, owner)
    this.#left.set(clientId, this.#changes)
    if (this.#left.size > MAX_LEFT) this.#left.delete(this.#left.keys().next().value as number)
  }

  #change(clientId: number, owner: PresenceOwner): void {
    this.#changes++
    this.#left.delete(clientId)
    const before = this.#changed.get(clientId)
    this.#changed.set(clientId, before === undefined || before === owner ? owner : null)
  }

  #parse(owner: PresenceOwner, update: Uint8Array): Map<number, string | null> {
    const states = new Map<number, string | null>()
    try {
      const decoder = decoding.createDecoder(update)
      const count = decoding.readVarUint(decoder)
      if (count > MAX_IDS_PER_MESSAGE)
        throw new DocumentError('malformed-awareness', `${count} client ids in one message`)
      for (let index = 0; index < count; index++) {
        const clientId = decoding.readVarUint(decoder)
        decoding.readVarUint(decoder)
        const utf8 = decoding.readVarUint8Array(decoder)
        if (!owner.hasClientId(clientId))
          throw new DocumentError(
            'presence-not-yours',
            `client id ${clientId} did not join with this connection`,
          )
        states.set(clientId, this.#checkState(owner, utf8))
      }
      if (decoding.hasContent(decoder))
        throw new DocumentError('malformed-awareness', 'bytes after the last state')
    } catch (error) {
      if (error instanceof DocumentError) throw error
      throw new DocumentError('malformed-awareness', 'not a y-protocols awareness update', {
        cause: error,
      })
    }
    return states
  }

  #checkState(owner: PresenceOwner, utf8: Uint8Array): string | null {
    const bytes = utf8.length
    if (bytes > this.#options.maxStateBytes)
      throw new DocumentError(
        'presence-too-large',
        `a presence state may have ${this.#options.maxStateBytes} bytes, this one has ${bytes}`,
        { limit: 'maxPresenceBytes' },
      )
    // Peers compare states by recursion.
    if (!isJson(utf8, 0, utf8.length, MAX_STATE_NESTING))
      throw new DocumentError(
        'malformed-awareness',
        `a presence state is not JSON, or nests more than ${MAX_STATE_NESTING} deep`,
      )
    const json = UTF8.decode(utf8)
    const identity = owner.user?.presence
    // What is JSON and begins like an object is one.
    if (identity === undefined && json.startsWith('{')) return json
    const state = JSON.parse(json) as unknown
    if (state === null) return null
    if (typeof state !== 'object' || Array.isArray(state))
      throw new DocumentError('malformed-awareness', 'a presence state is a JSON object or null')
    return identity === undefined ? json : JSON.stringify(stamp(state, identity))
  }

  /** Who shrinks is always heard, also in a document that is full. */
  #checkRoom(owner: PresenceOwner, states: ReadonlyMap<number, string | null>): void {
    let growth = 0
    for (const [clientId, json] of states) {
      const entry = this.#entries.get(clientId)
      // Only its owner removes an entry.
      if (json === null && entry?.owner !== owner) continue
      growth += sizeOf(json) - (entry?.bytes ?? 0)
    }
    const maxBytes = this.#options.maxDocumentBytes
    if (growth > 0 && this.#bytes + growth > maxBytes)
      throw new DocumentError(
        'presence-too-large',
        `all presence in a document may have ${maxBytes} bytes together`,
        { limit: 'maxPresenceBytesPerDocument' },
      )
  }

  #nextClock(): number {
    this.#lastClock = Math.max(this.#lastClock + 1, this.#options.clock.now())
    return this.#lastClock
  }

  #schedule(): void {
    if (this.#changed.size === 0 || this.#cancelFlush !== null) return
    const { clock, intervalMs } = this.#options
    const interval =
      intervalMs === 0
        ? 0
        : Math.min(
            Math.max(intervalMs, MAX_PRESENCE_INTERVAL_MS),
            intervalMs + this.#options.memberCount(),
          )
    // The time of day may be set back meanwhile: never wait longer than the interval.
    const waitMs = Math.min(interval, Math.max(0, this.#flushedAt + interval - clock.now()))
    // Even when quiet, a timer: the removal and the return of one client in one turn become one message.
    this.#cancelFlush = clock.setTimer(waitMs, () => {
      this.#cancelFlush = null
      this.#flush()
    })
  }

  #flush(): void {
    if (this.#changed.size === 0) return
    this.#flushedAt = this.#options.clock.now()
    const changes = this.#changes
    const owners = new Set(this.#changed.values())
    const ids = [...this.#changed.keys()]
    this.#changed.clear()
    const [onlyOwner = null] = owners
    this.#options.send(this.#encode(ids), owners.size === 1 ? onlyOwner : null)
    // Not before: whoever is still being told of the message before this one has heard of nothing after it.
    this.#sentChanges = changes
    this.#markSent(ids)
    this.#scheduleRefresh()
  }

  /** Peers drop a client that was silent for 30 s, so the server repeats what did not change. */
  #scheduleRefresh(): void {
    if (this.#cancelRefresh !== null || this.#entries.size === 0) return
    this.#cancelRefresh = this.#options.clock.setTimer(this.#options.refreshMs, () => {
      this.#cancelRefresh = null
      const now = this.#options.clock.now()
      const staleSince = now - this.#options.refreshMs / 2
      const stale: number[] = []
      for (const [clientId, entry] of this.#entries) {
        // Sent "in the future" is before the time of day was set back.
        if (entry.sentAt > staleSince && entry.sentAt <= now) continue
        entry.clock = this.#nextClock()
        stale.push(clientId)
      }
      if (stale.length > 0 && this.#options.memberCount() > 1)
        this.#options.send(this.#encode(stale), null)
      this.#markSent(stale)
      this.#scheduleRefresh()
    })
  }

  #encode(clientIds: readonly number[]): Uint8Array {
    const encoder = encoding.createEncoder()
    encoding.writeVarUint(encoder, clientIds.length)
    for (const clientId of clientIds) {
      const entry = this.#entries.get(clientId)
      if (entry !== undefined) entry.isKnown = true
      encoding.writeVarUint(encoder, clientId)
      encoding.writeVarUint(encoder, entry?.clock ?? this.#nextClock())
      encoding.writeVarString(encoder, entry?.json ?? 'null')
    }
    return encoding.toUint8Array(encoder)
  }
}

function sizeOf(json: string | null): number {
  return json === null ? 0 : ENTRY_BYTES + Buffer.byteLength(json)
}

/**
 * Overwrites the identity in a presence state: in its `user` object, where most editors look; in `data`, where Slate and Plate keep
 * it, and at the top level, where Lexical does, if it is there.
 */
function stamp(state: object, identity: Readonly<Record<string, unknown>>): object {
  const { user, data } = state as { user?: unknown; data?: unknown }
  const stamped: Record<string, unknown> = {
    ...claimed(state, identity),
    user: { ...(isObject(user) ? user : {}), ...identity },
  }
  if (isObject(data)) stamped['data'] = { ...data, ...claimed(data, identity) }
  return stamped
}

/** The state with the identity in place of those fields of it that it has. */
function claimed(state: object, identity: Readonly<Record<string, unknown>>): object {
  const own = Object.entries(identity).filter(([field]) => Object.hasOwn(state, field))
  return { ...state, ...Object.fromEntries(own) }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
