import { bytesFrom, HEADER_BYTES, recordDamaged, seal, unsealAny } from './records.ts'
import type { LogEntry, NewEntry } from './storage.ts'

/**
 * The rows of a log. A row holds neighbouring entries that were written together, under the sequence number of the first:
 * a keystroke has some twenty bytes, and a row of its own costs twice as many, and LevelDB and its binding as
 * much time for each row as for a hundred bytes.
 *
 *     row    = entry+
 *     entry  = flags(1) [received at(8, float)] [author length(4) author] length(4) update
 *
 * What an entry has in common with the one before it is left out. In version 1, of which there may be rows still, a row is
 * one entry: received at(8, float) author length(4) author, then the update to the end.
 */
const ROW_VERSION = 2
const ONE_ENTRY_VERSION = 1

/** As many entries are in a row at most: who reads from the middle of a log begins so many numbers earlier. */
export const MAX_ROW_ENTRIES = 64
/** …and as many bytes, but for an entry that is larger: whoever keeps one entry of a row keeps the row in memory. */
const MAX_ROW_BYTES = 16 * 1024

const HAS_TIME = 1
const HAS_AUTHOR = 2
const HAS_NO_AUTHOR = 4
const FLAGS_BYTES = 1
const TIME_BYTES = 8
const LENGTH_BYTES = 4
const NO_AUTHOR = 0xffff_ffff

type Origin = Pick<NewEntry, 'author' | 'receivedAt'>
const NO_ORIGIN: Origin = { author: null, receivedAt: 0 }

/** The entries in groups, each to be one row. */
export function* groupedIntoRows(entries: readonly NewEntry[]): Generator<readonly NewEntry[]> {
  let start = 0
  let bytes = 0
  for (const [position, { update }] of entries.entries()) {
    const isFull = position - start === MAX_ROW_ENTRIES || bytes + update.length > MAX_ROW_BYTES
    if (isFull && position > start) {
      yield entries.slice(start, position)
      start = position
      bytes = 0
    }
    bytes += update.length
  }
  if (start < entries.length) yield entries.slice(start)
}

export function encodeRow(key: Uint8Array, entries: readonly NewEntry[]): Uint8Array {
  const value = Buffer.allocUnsafe(sizeOf(entries))
  let before = NO_ORIGIN
  let offset = HEADER_BYTES
  for (const entry of entries) {
    const flags = flagsOf(entry, before)
    offset = value.writeUInt8(flags, offset)
    if ((flags & HAS_TIME) > 0) offset = value.writeDoubleBE(entry.receivedAt, offset)
    if ((flags & HAS_AUTHOR) > 0 && entry.author !== null) {
      const length = value.write(entry.author, offset + LENGTH_BYTES)
      offset = value.writeUInt32BE(length, offset) + length
    }
    offset = value.writeUInt32BE(entry.update.length, offset)
    value.set(entry.update, offset)
    offset += entry.update.length
    before = entry
  }
  return seal(key, value, ROW_VERSION)
}

/** The entries of the row whose first entry has this sequence number. They share the bytes that were read. */
export function decodeRow(
  key: Uint8Array,
  stored: Uint8Array,
  name: string,
  firstSeq: number,
): readonly LogEntry[] {
  const place = { name, what: `log entry ${firstSeq}` }
  const { value, version } = unsealAny(key, stored, place)
  try {
    if (version === ROW_VERSION) return readEntries(value, firstSeq)
    if (version === ONE_ENTRY_VERSION) return [readOneEntry(value, firstSeq)]
  } catch (error) {
    throw recordDamaged(place, 'is too short', error)
  }
  throw recordDamaged(place, `has the unknown version ${version}`)
}

function readEntries(value: Buffer, firstSeq: number): readonly LogEntry[] {
  const entries: LogEntry[] = []
  let { author, receivedAt } = NO_ORIGIN
  let offset = HEADER_BYTES
  do {
    const flags = value.readUInt8(offset++)
    if ((flags & HAS_TIME) > 0) {
      receivedAt = value.readDoubleBE(offset)
      offset += TIME_BYTES
    }
    if ((flags & HAS_NO_AUTHOR) > 0) author = null
    if ((flags & HAS_AUTHOR) > 0) {
      const start = offset + LENGTH_BYTES
      const end = endOf(value, start, value.readUInt32BE(offset))
      author = value.toString('utf8', start, end)
      offset = end
    }
    const start = offset + LENGTH_BYTES
    offset = endOf(value, start, value.readUInt32BE(offset))
    const seq = firstSeq + entries.length
    entries.push({ seq, update: bytesFrom(value, start, offset), author, receivedAt })
  } while (offset < value.length)
  return entries
}

function readOneEntry(value: Buffer, seq: number): LogEntry {
  const receivedAt = value.readDoubleBE(HEADER_BYTES)
  const length = value.readUInt32BE(HEADER_BYTES + TIME_BYTES)
  const start = HEADER_BYTES + TIME_BYTES + LENGTH_BYTES
  if (length === NO_AUTHOR)
    return { seq, update: bytesFrom(value, start), author: null, receivedAt }
  const end = endOf(value, start, length)
  const author = value.toString('utf8', start, end)
  return { seq, update: bytesFrom(value, end), author, receivedAt }
}

function endOf(value: Buffer, start: number, length: number): number {
  if (start + length > value.length) throw new RangeError('it ends within an entry')
  return start + length
}

function sizeOf(entries: readonly NewEntry[]): number {
  let bytes = HEADER_BYTES
  let before = NO_ORIGIN
  for (const entry of entries) {
    const flags = flagsOf(entry, before)
    bytes += FLAGS_BYTES + LENGTH_BYTES + entry.update.length
    if ((flags & HAS_TIME) > 0) bytes += TIME_BYTES
    if ((flags & HAS_AUTHOR) > 0 && entry.author !== null)
      bytes += LENGTH_BYTES + Buffer.byteLength(entry.author)
    before = entry
  }
  return bytes
}

function flagsOf(entry: Origin, before: Origin): number {
  const time = Object.is(entry.receivedAt, before.receivedAt) ? 0 : HAS_TIME
  if (entry.author === before.author) return time
  return time | (entry.author === null ? HAS_NO_AUTHOR : HAS_AUTHOR)
}
