import { MAX_CLOCK } from '../../protocol/index.ts'
import { BoundedReader, MalformedBytes } from './bounded-reader.ts'
import { CollectedDeletes } from './collected-deletes.ts'
import { findSection, IntegrationOrder, type Section } from './integration-order.ts'
import { LongMapEntries } from './long-map-entries.ts'
import { DEFAULT_SCAN_LIMITS, type ScanLimits } from './scan-limits.ts'
import { ScannedPlaces, type PlaceClaim } from './scanned-places.ts'
import { DELETED_REF, GC_REF, SKIP_REF, readContentLength } from './struct-content.ts'
import {
  isUnderKey,
  nestingOf,
  placeInRoot,
  ROOT_LIST,
  type Place,
  type PlaceRun,
} from './struct-places.ts'

/** What the scan must know of the document that an update is for. A `DocumentIndex` knows it. */
export interface KnownStructs {
  /** The first clock of this client that the document does not have. */
  clockOf(client: number): number
  /** Where a struct that the document has hangs. */
  placeOf(client: number, clock: number): Place
  /** The living item of several clocks under a map key that a cut before this clock would go through, or null. */
  longMapEntryCutBy(client: number, clock: number): ClockRange | null
}

/** The clocks [from, to) of one client. */
export interface ClockRange {
  readonly client: number
  readonly from: number
  readonly to: number
}

interface KnownClock {
  readonly client: number
  readonly clock: number
}

export type ScanResult =
  | {
      readonly verdict: 'valid'
      /** What is new: at most one range per client, each from the clock known so far. */
      readonly inserts: readonly ClockRange[]
      /** What is deleted once the update is applied: its delete set and its new deleted structs. */
      readonly deletes: readonly ClockRange[]
      /** Where the new structs hang; those of a client in the order of their clocks. */
      readonly places: readonly PlaceRun[]
      /** The new living items of several clocks under a map key; those of a client in the order of their clocks. */
      readonly longMapEntries: readonly ClockRange[]
      /**
       * Up to which clocks the document has structs that are in the update too. Log and relay
       * `withoutKnown(update, scan)` in its place: a forged second version of known clocks would win wherever
       * Yjs merges the two, and an item that begins in known clocks and ends in new ones makes Yjs throw
       * where the known part was garbage-collected.
       */
      readonly known: readonly KnownClock[]
    }
  | { readonly verdict: 'missing-dependencies'; readonly message: string }
  | {
      readonly verdict: 'malformed'
      readonly message: string
      readonly limit: 'structs' | 'nesting' | null
    }

/** The bits of a struct's info byte above the kind. */
const HAS_ORIGIN = 0x80
const HAS_RIGHT_ORIGIN = 0x40
const HAS_PARENT_SUB = 0x20
const KIND = 0x1f

/** What was collected is nowhere. */
const GARBAGE: PlaceClaim = { kind: 'known', place: ROOT_LIST }

const NONE: readonly never[] = []
const NO_ENTRIES = new LongMapEntries()

/** Each struct takes at least an info byte and a length; each deleted range a clock and a length. */
const MIN_STRUCT_BYTES = 2
const MIN_RANGE_BYTES = 2

/** A section: the number of structs, client, clock and one struct. A client's deletes likewise. */
const MIN_SECTION_BYTES = 3 + MIN_STRUCT_BYTES
const MIN_CLIENT_DELETES_BYTES = 2

/**
 * Checks a Yjs V1 update of a stranger in one pass, without making Yjs objects, against the clocks
 * and places that the document has. Never throws, whatever the bytes; time and memory are linear in them.
 *
 * - `malformed`: Yjs would throw, hang, or do what no honest Yjs client asks for. Never retry.
 * - `missing-dependencies`: Yjs would park (a part of) it until something else arrives.
 * - `valid`: Y.applyUpdate takes it whole.
 *
 * What it cannot see is how long Yjs takes: an item whose two neighbours lie far apart makes it walk
 * over all that is between them. docs/guarantees.md has the numbers.
 */
export function scanUpdate(
  update: Uint8Array,
  known: KnownStructs,
  limits: ScanLimits = DEFAULT_SCAN_LIMITS,
): ScanResult {
  try {
    const scan = new UpdateScan(update, known, limits, NO_ENTRIES).run()
    if (scan.verdict !== 'valid' || scan.longMapEntries.length === 0) return scan
    // What refers to such an entry may come before it in the bytes, so they are read again.
    const own = new LongMapEntries()
    for (const entry of scan.longMapEntries) own.append(entry)
    return new UpdateScan(update, known, limits, own).run()
  } catch (error) {
    if (error instanceof MalformedBytes)
      return { verdict: 'malformed', message: error.message, limit: error.limit }
    throw error
  }
}

/** What most updates have none of is made when the first one comes: of a keystroke's scan that was most of the memory, and much of the time. */
class UpdateScan {
  readonly #reader: BoundedReader
  readonly #document: KnownStructs
  readonly #limits: ScanLimits
  #inserts: ClockRange[] | null = null
  #deletes: CollectedDeletes | null = null
  #sections: Section[] | null = null
  #order: IntegrationOrder | null = null
  readonly #places: ScannedPlaces
  /** Those of the new entries of several clocks that are known before the update is read. */
  readonly #ownEntries: LongMapEntries
  /** New items of several clocks that hang, or may hang, under one map key. */
  #longMapEntries: (ClockRange & { readonly run: number })[] | null = null
  /** New structs with a right origin that hang, or may hang, under a map key. */
  #rightOriginRuns: number[] | null = null
  /** Those that an edge of a deleted range goes through. */
  #cutByDeletes: ClockRange[] | null = null
  #knownClocks: KnownClock[] | null = null
  #missing: string | null = null
  #structs = 0
  #deleteRanges = 0
  /** The section being read: its client, the clock known before the update, the clock reached. */
  #client = -1
  #known = 0
  #reached = 0
  /** The last answer of the document, since neighbours mostly refer to the same client. */
  #askedClient = -1
  #askedClock = 0

  constructor(
    update: Uint8Array,
    document: KnownStructs,
    limits: ScanLimits,
    ownEntries: LongMapEntries,
  ) {
    this.#ownEntries = ownEntries
    this.#reader = new BoundedReader(update)
    this.#document = document
    this.#limits = limits
    this.#places = new ScannedPlaces(document)
  }

  run(): ScanResult {
    this.#readSections()
    this.#readDeleteSet()
    if (this.#reader.remaining > 0) throw new MalformedBytes('bytes follow the update')
    if (this.#missing === null && this.#order !== null)
      this.#missing = this.#order.fault(this.#sections ?? NONE)
    if (this.#missing !== null) return { verdict: 'missing-dependencies', message: this.#missing }
    this.#places.settle()
    const places = this.#places.all()
    this.#checkNesting(places)
    this.#checkRightOrigins()
    // Neighbouring ranges that were not joined cut nothing.
    if (this.#cutByDeletes !== null && this.#lacking(this.#cutByDeletes).length > 0)
      throw cutEntry()
    return {
      verdict: 'valid',
      inserts: this.#inserts ?? NONE,
      deletes: this.#deletes?.ranges ?? NONE,
      places,
      longMapEntries: this.#livingMapEntries(),
      known: this.#knownClocks ?? NONE,
    }
  }

  #livingMapEntries(): readonly ClockRange[] {
    if (this.#longMapEntries === null) return NONE
    const entries = this.#longMapEntries
      .filter(({ run }) => isUnderKey(this.#places.placeOfRun(run)))
      .map(({ client, from, to }) => ({ client, from, to }))
    return this.#lacking(entries)
  }

  /** Those of these ranges that the update does not delete whole. */
  #lacking(ranges: readonly ClockRange[]): readonly ClockRange[] {
    return this.#deletes === null ? ranges : this.#deletes.lacking(ranges)
  }

  #checkNesting(places: readonly PlaceRun[]): void {
    const { nesting } = this.#limits
    for (const { place } of places)
      if (nestingOf(place) > nesting)
        throw new MalformedBytes(`types nest more than ${nesting} deep`, 'nesting')
  }

  /** The entry of several clocks, new or not, that Yjs would cut in two before this clock, or null. */
  #entryCutBy(client: number, clock: number): ClockRange | null {
    if (this.#limits.cutMapEntries) return null
    const own = this.#ownEntries.cutBy(client, clock)
    // Nothing above the known clock is asked for: an update that was never written may have left it.
    return (
      own ??
      (clock < this.#knownClock(client) ? this.#document.longMapEntryCutBy(client, clock) : null)
    )
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
    const previous = this.#sections?.at(-1)
    if (previous !== undefined && client >= previous.client)
      throw new MalformedBytes('clients are not in descending order')
    this.#client = client
    this.#known = this.#knownClock(client)
    this.#reached = this.#known
    let clock = this.#reader.readVarUint()
    if (clock < this.#known) (this.#knownClocks ??= []).push({ client, clock: this.#known })
    for (let index = 0; index < structs; index++) clock = this.#readStruct(clock)
    this.#sections = withOne(this.#sections, { client, reached: this.#reached })
    if (this.#reached > this.#known)
      this.#inserts = withOne(this.#inserts, { client, from: this.#known, to: this.#reached })
  }

  /** Reads the struct that starts at this clock and returns where the next one starts. */
  #readStruct(start: number): number {
    const info = this.#reader.readUint8()
    const kind = info & KIND
    const isItem = kind !== GC_REF && kind !== SKIP_REF
    // Yjs's two readers disagree about these kinds with a flag set: applyUpdate ignores it,
    // mergeUpdates throws.
    if (!isItem && info !== kind) throw new MalformedBytes('a struct without content has flags')
    const claim = isItem ? this.#readReferences(info, start) : GARBAGE
    const length = isItem ? readContentLength(this.#reader, kind) : this.#reader.readVarUint()
    const end = start + length
    if (length === 0) throw new MalformedBytes('a struct without length')
    if (end > MAX_CLOCK) throw new MalformedBytes(`a clock exceeds ${MAX_CLOCK}`)
    if (start > this.#reached || (kind === SKIP_REF && end > this.#reached)) {
      this.#missing ??= `it lacks ${this.#client}:${this.#reached}`
    } else if (end > this.#reached) {
      this.#take(info, start, end, claim)
    }
    return end
  }

  #take(info: number, start: number, end: number, claim: PlaceClaim): void {
    const kind = info & KIND
    const from = Math.max(start, this.#known)
    const isCut = start < this.#known && kind !== GC_REF
    // What is left of a cut item hangs on its known part, whatever it claims.
    const place: PlaceClaim = isCut
      ? { kind: 'beside', client: this.#client, clock: from - 1 }
      : claim
    const run = this.#places.add(this.#client, from, place)
    // Decided at the end: what hangs on something that is missing has no place.
    if ((info & HAS_RIGHT_ORIGIN) !== 0 && this.#mayBeUnderKey(run))
      (this.#rightOriginRuns ??= []).push(run)
    if (kind === GC_REF || kind === DELETED_REF)
      (this.#deletes ??= new CollectedDeletes()).add(this.#client, from, end)
    else if (end - start > 1 && this.#mayBeUnderKey(run))
      (this.#longMapEntries ??= []).push({ client: this.#client, from, to: end, run })
    this.#reached = end
  }

  /**
   * Yjs gives the values of one key only what each took the place of. One that also names what shall come after it lies at
   * different places for peers that heard of the others in another order; which of them is living, they would disagree about.
   */
  #checkRightOrigins(): void {
    if (this.#limits.mapRightOrigins) return
    if (this.#rightOriginRuns?.some((run) => isUnderKey(this.#places.placeOfRun(run))))
      throw new MalformedBytes('a value of a map has a right origin')
  }

  #mayBeUnderKey(run: number): boolean {
    const place = this.#places.placeOfRun(run)
    return place < 0 || isUnderKey(place)
  }

  /**
   * Origin, right origin, and (only where both lack) the parent and the key below it. As in Yjs, a struct is where
   * its origin is, or its right origin; it is what it says only without both.
   */
  #readReferences(info: number, start: number): PlaceClaim {
    const origin = (info & HAS_ORIGIN) === 0 ? null : this.#readReference(start)
    const rightOrigin = (info & HAS_RIGHT_ORIGIN) === 0 ? null : this.#readReference(start)
    // As Yjs does: an origin ends an item, a right origin begins one.
    if (origin !== null && this.#entryCutBy(origin.client, origin.clock + 1) !== null)
      throw cutEntry()
    if (rightOrigin !== null && this.#entryCutBy(rightOrigin.client, rightOrigin.clock) !== null)
      throw cutEntry()
    const neighbour = origin ?? rightOrigin
    if (neighbour !== null) return { kind: 'beside', ...neighbour }
    const parentIsRoot = this.#reader.readVarUint()
    if (parentIsRoot > 1) throw new MalformedBytes('a parent is neither a root nor an item')
    const parent = parentIsRoot === 0 ? this.#readReference(start) : null
    if (parent === null) this.#reader.skipVarString()
    const hasKey = (info & HAS_PARENT_SUB) !== 0
    if (hasKey) this.#reader.skipVarString()
    if (parent === null) return { kind: 'known', place: placeInRoot(hasKey) }
    return { kind: 'inside', ...parent, isUnderKey: hasKey }
  }

  #readReference(start: number): { client: number; clock: number } {
    const client = this.#reader.readVarUint()
    const clock = this.#reader.readVarUint()
    if (client === this.#client) {
      // Yjs takes these for known without looking, and throws when they are not.
      if (clock >= start) throw new MalformedBytes('a struct refers to itself or a later one')
    } else if (clock >= this.#knownClock(client)) {
      this.#order ??= new IntegrationOrder()
      this.#order.addWait(this.#sections?.length ?? 0, start, client, clock)
    }
    return { client, clock }
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
      const sections = this.#sections ?? NONE
      const section = findSection(sections, client)
      const reached =
        section < 0 ? this.#knownClock(client) : (sections[section] as Section).reached
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
    this.#deletes ??= new CollectedDeletes()
    this.#deletes.add(client, from, to)
    this.#noteCut(client, from)
    this.#noteCut(client, to)
  }

  #noteCut(client: number, edge: number): void {
    const entry = this.#entryCutBy(client, edge)
    if (entry !== null) (this.#cutByDeletes ??= []).push(entry)
  }

  #readCount(limit: number, bytesEach: number, what: string): number {
    const count = this.#reader.readVarUint()
    if (count * bytesEach > this.#reader.remaining)
      throw new MalformedBytes(`more ${what} than the bytes can hold`)
    if (count > limit) throw new MalformedBytes(`more ${what} than one update may have`, 'structs')
    return count
  }

  #knownClock(client: number): number {
    if (client !== this.#askedClient) {
      this.#askedClient = client
      this.#askedClock = this.#document.clockOf(client)
    }
    return this.#askedClock
  }
}

/** V8 makes room for sixteen more when the first is pushed, and in most updates there is no second. */
function withOne<Item>(items: Item[] | null, item: Item): Item[] {
  if (items === null) return [item]
  items.push(item)
  return items
}

function cutEntry(): MalformedBytes {
  return new MalformedBytes('it takes apart a value of a map that has several clocks')
}
