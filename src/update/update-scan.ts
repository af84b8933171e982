import { MAX_CLOCK } from '../../protocol/index.ts'
import { BoundedReader, MalformedBytes } from './bounded-reader.ts'
import { CollectedDeletes } from './collected-deletes.ts'
import { findSection, IntegrationOrder, type Section } from './integration-order.ts'
import { DEFAULT_SCAN_LIMITS, type ScanLimits } from './scan-limits.ts'
import { DELETED_REF, GC_REF, SKIP_REF, readContentLength } from './struct-content.ts'

/** The clocks [from, to) of one client. */
export interface ClockRange {
  readonly client: number
  readonly from: number
  readonly to: number
}

export type ScanResult =
  | {
      readonly verdict: 'valid'
      /** What is new: at most one range per client, each from the clock known so far. */
      readonly inserts: readonly ClockRange[]
      /** What is deleted once the update is applied: its delete set and its new deleted structs. */
      readonly deletes: readonly ClockRange[]
      /**
       * An item begins in known clocks and ends in new ones. Yjs would cut it in two, and throws
       * if the known part was garbage-collected meanwhile while the item claims a living parent.
       * Log and relay `withoutKnown(update, scan)` in its place; that cannot throw.
       */
      readonly overlapsKnown: boolean
    }
  | { readonly verdict: 'missing-dependencies'; readonly message: string }
  | { readonly verdict: 'malformed'; readonly message: string }

/** The bits of a struct's info byte above the kind. */
const HAS_ORIGIN = 0x80
const HAS_RIGHT_ORIGIN = 0x40
const HAS_PARENT_SUB = 0x20
const REFERENCES = HAS_ORIGIN | HAS_RIGHT_ORIGIN | HAS_PARENT_SUB
const KIND = 0x1f

/** Each struct takes at least an info byte and a length; each deleted range a clock and a length. */
const MIN_STRUCT_BYTES = 2
const MIN_RANGE_BYTES = 2

/** A section: the number of structs, client, clock and one struct. A client's deletes likewise. */
const MIN_SECTION_BYTES = 3 + MIN_STRUCT_BYTES
const MIN_CLIENT_DELETES_BYTES = 2

/**
 * Checks a Yjs V1 update of a stranger in one pass, without making Yjs objects, against the clocks
 * that the document has. Never throws, whatever the bytes; time and memory are linear in them.
 *
 * - `malformed`: Yjs would throw, hang, or do what no honest Yjs client asks for. Never retry.
 * - `missing-dependencies`: Yjs would park (a part of) it until something else arrives.
 * - `valid`: Y.applyUpdate takes it whole.
 *
 * Two things cannot be seen without the document's content, and pass: an item of several clocks
 * that joins a map key through its origin, and types that nest thousands deep over many updates.
 * Yjs throws when the map, or the outermost type, is deleted later.
 */
export function scanUpdate(
  update: Uint8Array,
  clockOf: (client: number) => number,
  limits: ScanLimits = DEFAULT_SCAN_LIMITS,
): ScanResult {
  try {
    return new UpdateScan(update, clockOf, limits).run()
  } catch (error) {
    if (error instanceof MalformedBytes) return { verdict: 'malformed', message: error.message }
    throw error
  }
}

class UpdateScan {
  readonly #reader: BoundedReader
  readonly #clockOf: (client: number) => number
  readonly #limits: ScanLimits
  readonly #inserts: ClockRange[] = []
  readonly #deletes = new CollectedDeletes()
  readonly #sections: Section[] = []
  readonly #order = new IntegrationOrder()
  /**
   * New items of several clocks under one map key. Yjs puts items of one clock there; longer ones
   * are old values that were deleted and then joined. A longer one that lives could be deleted in
   * part, and when its map is deleted later, garbage collection throws in every peer.
   */
  readonly #longMapEntries: ClockRange[] = []
  #overlapsKnown = false
  #missing: string | null = null
  #structs = 0
  #deleteRanges = 0
  /** The section being read: its client, the clock known before the update, the clock reached. */
  #client = -1
  #known = 0
  #reached = 0
  /** The last answer of clockOf, since neighbours mostly refer to the same client. */
  #askedClient = -1
  #askedClock = 0

  constructor(update: Uint8Array, clockOf: (client: number) => number, limits: ScanLimits) {
    this.#reader = new BoundedReader(update)
    this.#clockOf = clockOf
    this.#limits = limits
  }

  run(): ScanResult {
    this.#readSections()
    this.#readDeleteSet()
    if (this.#reader.remaining > 0) throw new MalformedBytes('bytes follow the update')
    if (this.#longMapEntries.length > 0 && !this.#deletes.hasAll(this.#longMapEntries))
      throw new MalformedBytes('a map key holds several values at once')
    if (this.#missing === null && this.#order.waits > 0)
      this.#missing = this.#order.fault(this.#sections)
    if (this.#missing !== null) return { verdict: 'missing-dependencies', message: this.#missing }
    return {
      verdict: 'valid',
      inserts: this.#inserts,
      deletes: this.#deletes.ranges,
      overlapsKnown: this.#overlapsKnown,
    }
  }

  #readSections(): void {
    const sections = this.#readCount(this.#limits.clients, MIN_SECTION_BYTES, 'clients')
    for (let index = 0; index < sections; index++) this.#readSection()
  }

  #readSection(): void {
    const structs = this.#readCount(
      this.#limits.structs - this.#structs,
      MIN_STRUCT_BYTES,
      'structs',
    )
    if (structs === 0) throw new MalformedBytes('a client without structs')
    this.#structs += structs
    const client = this.#reader.readVarUint()
    // Yjs writes clients in descending order, and its mergeUpdates loses structs otherwise.
    const previous = this.#sections.at(-1)
    if (previous !== undefined && client >= previous.client)
      throw new MalformedBytes('clients are not in descending order')
    this.#client = client
    this.#known = this.#knownClock(client)
    this.#reached = this.#known
    let clock = this.#reader.readVarUint()
    for (let index = 0; index < structs; index++) clock = this.#readStruct(clock)
    this.#sections.push({ client, reached: this.#reached })
    if (this.#reached > this.#known)
      this.#inserts.push({ client, from: this.#known, to: this.#reached })
  }

  /** Reads the struct that starts at this clock and returns where the next one starts. */
  #readStruct(start: number): number {
    const info = this.#reader.readUint8()
    const kind = info & KIND
    const isItem = kind !== GC_REF && kind !== SKIP_REF
    // Yjs's two readers disagree about these kinds with a flag set: applyUpdate ignores it,
    // mergeUpdates throws.
    if (!isItem && info !== kind) throw new MalformedBytes('a struct without content has flags')
    if (isItem) this.#readReferences(info, start)
    const length = isItem ? readContentLength(this.#reader, kind) : this.#reader.readVarUint()
    const end = start + length
    if (length === 0) throw new MalformedBytes('a struct without length')
    if (end > MAX_CLOCK) throw new MalformedBytes(`a clock exceeds ${MAX_CLOCK}`)
    if (start > this.#reached || (kind === SKIP_REF && end > this.#reached)) {
      this.#missing ??= `it lacks ${this.#client}:${this.#reached}`
    } else if (end > this.#reached) {
      this.#take(info, start, end)
    }
    return end
  }

  #take(info: number, start: number, end: number): void {
    const kind = info & KIND
    const from = Math.max(start, this.#known)
    if (start < this.#known && kind !== GC_REF) this.#overlapsKnown = true
    if (kind === GC_REF || kind === DELETED_REF) this.#deletes.add(this.#client, from, end)
    else if ((info & REFERENCES) === HAS_PARENT_SUB && end - start > 1)
      this.#longMapEntries.push({ client: this.#client, from, to: end })
    this.#reached = end
  }

  /** Origin, right origin, and (only where both lack) the parent and the key below it. */
  #readReferences(info: number, start: number): void {
    if ((info & HAS_ORIGIN) !== 0) this.#readReference(start)
    if ((info & HAS_RIGHT_ORIGIN) !== 0) this.#readReference(start)
    if ((info & (HAS_ORIGIN | HAS_RIGHT_ORIGIN)) !== 0) return
    const parentIsRoot = this.#reader.readVarUint()
    if (parentIsRoot === 1) this.#reader.skipVarString()
    else if (parentIsRoot === 0) this.#readReference(start)
    else throw new MalformedBytes('a parent is neither a root nor an item')
    if ((info & HAS_PARENT_SUB) !== 0) this.#reader.skipVarString()
  }

  #readReference(start: number): void {
    const client = this.#reader.readVarUint()
    const clock = this.#reader.readVarUint()
    if (client === this.#client) {
      // Yjs takes these for known without looking, and throws when they are not.
      if (clock >= start) throw new MalformedBytes('a struct refers to itself or a later one')
    } else if (clock >= this.#knownClock(client)) {
      this.#order.addWait(this.#sections.length, start, client, clock)
    }
  }

  #readDeleteSet(): void {
    const clients = this.#readCount(this.#limits.clients, MIN_CLIENT_DELETES_BYTES, 'clients')
    for (let index = 0; index < clients; index++) {
      const client = this.#reader.readVarUint()
      const ranges = this.#readCount(
        this.#limits.deleteRanges - this.#deleteRanges,
        MIN_RANGE_BYTES,
        'deleted ranges',
      )
      this.#deleteRanges += ranges
      const section = findSection(this.#sections, client)
      const reached =
        section < 0 ? this.#knownClock(client) : (this.#sections[section] as Section).reached
      for (let range = 0; range < ranges; range++) this.#readDeletedRange(client, reached)
    }
  }

  #readDeletedRange(client: number, reached: number): void {
    const from = this.#reader.readVarUint()
    const length = this.#reader.readVarUint()
    const to = from + length
    if (length === 0) throw new MalformedBytes('a deleted range without length')
    if (to > MAX_CLOCK) throw new MalformedBytes(`a clock exceeds ${MAX_CLOCK}`)
    if (to > reached) this.#missing ??= `it deletes ${client}:${to - 1}, which is unknown`
    this.#deletes.add(client, from, to)
  }

  #readCount(limit: number, bytesEach: number, what: string): number {
    const count = this.#reader.readVarUint()
    if (count * bytesEach > this.#reader.remaining)
      throw new MalformedBytes(`more ${what} than the bytes can hold`)
    if (count > limit) throw new MalformedBytes(`more ${what} than one update may have`)
    return count
  }

  #knownClock(client: number): number {
    if (client !== this.#askedClient) {
      this.#askedClient = client
      this.#askedClock = this.#clockOf(client)
    }
    return this.#askedClock
  }
}
