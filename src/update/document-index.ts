import { createHash } from 'node:crypto'
import {
  createEncoder,
  toUint8Array,
  writeUint8Array,
  writeVarUint,
  type Encoder,
} from 'lib0/encoding'
import { DIGEST_BYTES, MAX_CLOCK } from '../../protocol/index.ts'
import { FewMap } from '../few-map.ts'
import { BoundedReader, MalformedBytes } from './bounded-reader.ts'
import { LongMapEntries } from './long-map-entries.ts'
import { RangeSet } from './range-set.ts'
import { descending, encodeStateVector } from './state-vector.ts'
import { ROOT_LIST, StructPlaces, type Place, type PlaceRun } from './struct-places.ts'
import type { ClockRange, KnownStructs } from './update-scan.ts'

/** The first byte of an encoded index; it rises when the bytes after it change their meaning. */
const FORMAT = 3
/** Without long map entries, and before that without places: the next fold finds out what they are. */
const FORMAT_WITHOUT_ENTRIES = 2
const FORMAT_WITHOUT_PLACES = 1

/** Of a document without content. Shared: not to be written to. */
const EMPTY_STATE_VECTOR = new Uint8Array([0])

/** A client's entry in a Map of numbers, with the slack of its hash table. */
const MAP_ENTRY_BYTES = 40

/** A RangeSet without its chunks, and its entry in the Map. */
const RANGE_SET_BYTES = 200

/** A deleted range is a clock and a length. */
const MIN_RANGE_BYTES = 2

/** The part of a valid scan that an index takes in. */
export interface Change {
  readonly inserts: readonly ClockRange[]
  readonly deletes: readonly ClockRange[]
  readonly places: readonly PlaceRun[]
  readonly longMapEntries: readonly ClockRange[]
}

/**
 * All that the server knows of a document's content: which clocks of each client it has (the state
 * vector) and which of those are deleted (the delete set). Two documents are the same if and only
 * if both agree. For the scan it knows too where its structs hang, and which map entries must not be cut.
 */
export class DocumentIndex implements KnownStructs {
  readonly #clocks = new FewMap<number, number>()
  readonly #deleted = new FewMap<number, RangeSet>()
  #places = new StructPlaces()
  #longMapEntries = new LongMapEntries()
  #stateVector: Uint8Array | null = null
  #digest: Uint8Array | null = null

  /** The first clock of this client that the document does not have. */
  clockOf(client: number): number {
    return this.#clocks.get(client) ?? 0
  }

  placeOf(client: number, clock: number): Place {
    return this.#places.placeOf(client, clock)
  }

  longMapEntryCutBy(client: number, clock: number): ClockRange | null {
    return this.#longMapEntries.cutBy(client, clock)
  }

  /** The bytes of Y.encodeStateVector. The same array until the next insert: not to be written to. */
  stateVector(): Uint8Array {
    if (this.#clocks.size === 0) return EMPTY_STATE_VECTOR
    this.#stateVector ??= encodeStateVector(this.#clocks)
    return this.#stateVector
  }

  /**
   * Stands for the state vector and the delete set: the first 16 bytes of the SHA-256 of what `Y.encodeSnapshot` makes of them.
   * The same array until the next change: not to be written to.
   */
  digest(): Uint8Array {
    this.#digest ??= this.#computeDigest()
    return this.#digest
  }

  /** A Yjs V1 update without structs, which deletes all that is deleted. */
  deleteSetUpdate(): Uint8Array {
    const encoder = createEncoder()
    writeVarUint(encoder, 0)
    this.#writeDeleteSet(encoder)
    return toUint8Array(encoder)
  }

  /** Whether a valid scan's update would change nothing. */
  covers(scan: Change): boolean {
    return scan.inserts.length === 0 && scan.deletes.every((range) => this.#hasDeleted(range))
  }

  /** Takes in what a valid scan against this index found. */
  apply(scan: Change): void {
    this.expect(scan)
    this.applyExpected(scan)
  }

  /**
   * Takes in where the structs of an accepted update hang, and which are long map entries, before it is written: the next
   * one may hang on them. If it is never written, nobody asks for those clocks until the next update that has them overwrites it.
   */
  expect({ inserts, places, longMapEntries }: Omit<Change, 'deletes'>): void {
    for (const run of places) this.#places.append(run)
    for (const { client, from } of inserts) this.#longMapEntries.truncate(client, from)
    for (const entry of longMapEntries) this.#longMapEntries.append(entry)
  }

  /** Takes in the rest of an update that was expected. */
  applyExpected(scan: Pick<Change, 'inserts' | 'deletes'>): void {
    for (const { client, from, to } of scan.inserts) {
      const clock = this.clockOf(client)
      if (from > clock) throw new RangeError(`the index lacks ${client}:${clock}`)
      if (to <= clock) continue
      this.#clocks.set(client, to)
      this.#stateVector = null
      this.#digest = null
    }
    for (const { client, from, to } of scan.deletes) {
      if (to > this.clockOf(client)) throw new RangeError(`the index lacks ${client}:${to - 1}`)
      this.#delete({ client, from, to })
    }
  }

  /**
   * Takes in the delete set of another index, of which every insert is known here. A Y.Doc deletes
   * more than updates name: the value of a key that was overwritten, the child of a deleted parent.
   */
  addDeletesOf(other: DocumentIndex): void {
    for (const [client, ranges] of other.#deleted) {
      if (ranges.end > this.clockOf(client))
        throw new RangeError(`the index lacks ${client}:${ranges.end - 1}`)
      ranges.forEach((from, to) => this.#delete({ client, from, to }))
    }
  }

  /** Whether this index has every insert and every delete of the other. */
  dominates(other: DocumentIndex): boolean {
    for (const [client, clock] of other.#clocks) if (this.clockOf(client) < clock) return false
    for (const [client, ranges] of other.#deleted)
      if (this.#deleted.get(client)?.includes(ranges) !== true) return false
    return true
  }

  equals(other: DocumentIndex): boolean {
    return this.dominates(other) && other.dominates(this)
  }

  clone(): DocumentIndex {
    const copy = new DocumentIndex()
    for (const [client, clock] of this.#clocks) copy.#clocks.set(client, clock)
    for (const [client, ranges] of this.#deleted) copy.#deleted.set(client, ranges.clone())
    copy.#places = this.#places.clone()
    copy.#longMapEntries = this.#longMapEntries.clone()
    copy.#stateVector = this.#stateVector
    return copy
  }

  /** An estimate of the heap that it takes, for limits on what is kept open. */
  get byteSize(): number {
    let bytes = this.#clocks.size * MAP_ENTRY_BYTES + (this.#stateVector?.length ?? 0)
    bytes += this.#places.byteSize + this.#longMapEntries.byteSize
    for (const ranges of this.#deleted.values()) bytes += RANGE_SET_BYTES + ranges.byteSize
    return bytes
  }

  /**
   * The index as bytes to store:
   * format, then the state vector and the delete set as Yjs V1 writes them, then the places: for each client
   * its runs, as the distance from the one before and the place. Then the long map entries: for each client
   * the distance from the end of the one before, and the length.
   */
  encode(): Uint8Array {
    const encoder = createEncoder()
    writeVarUint(encoder, FORMAT)
    writeUint8Array(encoder, this.stateVector())
    this.#writeDeleteSet(encoder)
    this.#writePlaces(encoder)
    this.#writeLongMapEntries(encoder)
    return toUint8Array(encoder)
  }

  /** Reads what `encode` wrote. Throws an error that says what is wrong, whatever the bytes. */
  static decode(bytes: Uint8Array): DocumentIndex {
    const index = new DocumentIndex()
    try {
      index.#read(new BoundedReader(bytes))
    } catch (error) {
      if (!(error instanceof MalformedBytes)) throw error
      throw new Error(`not an encoded document index: ${error.message}`, { cause: error })
    }
    return index
  }

  #delete(range: ClockRange): void {
    let ranges = this.#deleted.get(range.client)
    if (ranges === undefined) this.#deleted.set(range.client, (ranges = new RangeSet()))
    if (ranges.add(range.from, range.to)) this.#digest = null
    this.#longMapEntries.delete(range)
  }

  #computeDigest(): Uint8Array {
    const encoder = createEncoder()
    this.#writeDeleteSet(encoder)
    writeUint8Array(encoder, this.stateVector())
    return createHash('sha256').update(toUint8Array(encoder)).digest().subarray(0, DIGEST_BYTES)
  }

  #hasDeleted({ client, from, to }: ClockRange): boolean {
    return this.#deleted.get(client)?.has(from, to) === true
  }

  #writeDeleteSet(encoder: Encoder): void {
    writeVarUint(encoder, this.#deleted.size)
    for (const client of descending(this.#deleted.keys())) {
      const ranges = this.#deleted.get(client) as RangeSet
      writeVarUint(encoder, client)
      writeVarUint(encoder, ranges.size)
      ranges.forEach((from, to) => {
        writeVarUint(encoder, from)
        writeVarUint(encoder, to - from)
      })
    }
  }

  #writePlaces(encoder: Encoder): void {
    const clients = [...this.#places.clients()]
    writeVarUint(encoder, clients.length)
    for (const [client, starts, places] of clients) {
      writeVarUint(encoder, client)
      writeVarUint(encoder, starts.length)
      for (const [position, start] of starts.entries()) {
        writeVarUint(encoder, start - (starts[position - 1] ?? 0))
        writeVarUint(encoder, places[position] as Place)
      }
    }
  }

  #writeLongMapEntries(encoder: Encoder): void {
    const clients = [...this.#longMapEntries.clients()]
    writeVarUint(encoder, clients.length)
    for (const [client, starts, ends] of clients) {
      writeVarUint(encoder, client)
      writeVarUint(encoder, starts.length)
      for (const [position, start] of starts.entries()) {
        writeVarUint(encoder, start - (ends[position - 1] ?? 0))
        writeVarUint(encoder, (ends[position] as number) - start)
      }
    }
  }

  #read(reader: BoundedReader): void {
    const format = reader.readVarUint()
    if (format < FORMAT_WITHOUT_PLACES || format > FORMAT)
      throw new MalformedBytes(`its format is ${format}, not ${FORMAT}`)
    for (let entries = reader.readVarUint(); entries > 0; entries--) {
      const client = reader.readVarUint()
      const clock = reader.readVarUint()
      if (clock === 0 || clock > MAX_CLOCK || this.#clocks.has(client))
        throw new MalformedBytes(`the clock of client ${client} is wrong`)
      this.#clocks.set(client, clock)
    }
    for (let entries = reader.readVarUint(); entries > 0; entries--) this.#readRanges(reader)
    if (format > FORMAT_WITHOUT_PLACES)
      for (let entries = reader.readVarUint(); entries > 0; entries--) this.#readPlaces(reader)
    if (format > FORMAT_WITHOUT_ENTRIES)
      for (let entries = reader.readVarUint(); entries > 0; entries--)
        this.#readLongMapEntries(reader)
    if (reader.remaining > 0) throw new MalformedBytes('bytes follow it')
  }

  #readPlaces(reader: BoundedReader): void {
    const client = reader.readVarUint()
    let from = 0
    let before: Place = ROOT_LIST
    const runs = reader.readVarUint()
    for (let run = 0; run < runs; run++) {
      const distance = reader.readVarUint()
      const place = reader.readVarUint()
      from += distance
      if ((run > 0 && distance === 0) || place === before || from >= this.clockOf(client))
        throw new MalformedBytes(`a place of client ${client} is wrong`)
      this.#places.append({ client, from, place })
      before = place
    }
  }

  #readLongMapEntries(reader: BoundedReader): void {
    const client = reader.readVarUint()
    let to = 0
    for (let entries = reader.readVarUint(); entries > 0; entries--) {
      const from = to + reader.readVarUint()
      to = from + reader.readVarUint()
      if (to - from < 2 || to > this.clockOf(client))
        throw new MalformedBytes(`a long map entry of client ${client} is wrong`)
      this.#longMapEntries.append({ client, from, to })
    }
  }

  #readRanges(reader: BoundedReader): void {
    const client = reader.readVarUint()
    if (this.#deleted.has(client)) throw new MalformedBytes(`client ${client} comes twice`)
    const size = reader.readVarUint()
    if (size === 0) throw new MalformedBytes(`client ${client} without deleted ranges`)
    if (size * MIN_RANGE_BYTES > reader.remaining)
      throw new MalformedBytes('more deleted ranges than the bytes can hold')
    const clock = this.clockOf(client)
    const numbers = new Uint32Array(size * 2)
    let end = -1
    for (let at = 0; at < numbers.length; at += 2) {
      const from = reader.readVarUint()
      const to = from + reader.readVarUint()
      if (to === from || from <= end || to > clock)
        throw new MalformedBytes(`a deleted range of client ${client} is wrong`)
      numbers[at] = from
      numbers[at + 1] = end = to
    }
    this.#deleted.set(client, RangeSet.ofSorted(numbers))
  }
}
