import { crc32 } from 'node:zlib'
import { StorageError } from '../errors.ts'

/**
 * The values of the database. Each is
 *
 *     crc(4) version(1) body
 *
 * with the CRC-32 of the key, the version and the body: LevelDB checks nothing on a read, and a row that
 * turns up under another key is as wrong as a row with a flipped bit. Numbers are big endian.
 */
const CRC_BYTES = 4
export const HEADER_BYTES = CRC_BYTES + 1
const RECORD_VERSION = 1

/** What is on disk under a document's name. A name without a record has generation 0 and nothing else. */
export interface DocumentRecord {
  /** How often the name was deleted. */
  readonly generation: number
  /** Whether this generation has at least one entry. */
  readonly isWritten: boolean
  /** The newest snapshot's sequence number; 0: there is none. */
  readonly snapshotSeq: number
  /** The snapshot before; 0: there is none. Entries up to here are gone or about to go. */
  readonly previousSeq: number
  /**
   * The last sequence number when this was written; the log may go on. A log that ends before it has lost its end, which
   * nothing else would tell. 0 in records of the first releases.
   */
  readonly seq: number
  /**
   * Snapshots up to here were found damaged and given up. None is stored at their sequence numbers again: whoever has read half
   * of one must not read on in another. 0 when there was none.
   */
  readonly lostSeq: number
}

/**
 * The size of a snapshot: its update is in the chunks from 0 on, the document index in the chunks behind,
 * all of `chunkBytes` bytes but the last of either.
 */
export interface Manifest {
  readonly bytes: number
  readonly chunkBytes: number
  readonly indexBytes: number
  /**
   * The checksum of each chunk's record: where a chunk is lost, that of an earlier attempt at the same snapshot could come up. Empty in
   * manifests of the first releases.
   */
  readonly chunkChecksums: readonly number[]
}

/** Where a record was read, for the message of the error. */
export interface RecordPlace {
  readonly name: string
  /** For example `log entry 7`. */
  readonly what: string
}

export function recordDamaged(place: RecordPlace, fault: string, cause?: unknown): StorageError {
  return new StorageError(
    'record-damaged',
    `The ${place.what} of document ${JSON.stringify(place.name)} ${fault}.`,
    cause === undefined ? undefined : { cause },
  )
}

/** version(2) database id(8): the one record whose shape every later version keeps. */
const MAGIC = Buffer.from('y-rooms\n')
/** 2: a row of the log may hold several entries, and chunks of snapshots may be deflated. */
export const FORMAT_VERSION = 2

export interface FormatRecord {
  readonly version: number
  /** Eight random bytes in hexadecimal, drawn when the database was made. */
  readonly databaseId: string
}

export function encodeFormat(key: Uint8Array, record: FormatRecord): Uint8Array {
  const value = Buffer.alloc(HEADER_BYTES + MAGIC.length + 2 + 8)
  MAGIC.copy(value, HEADER_BYTES)
  value.writeUInt16BE(record.version, HEADER_BYTES + MAGIC.length)
  value.write(record.databaseId, HEADER_BYTES + MAGIC.length + 2, 'hex')
  return seal(key, value)
}

/** Null: this is no database of ours, or its format record is damaged. */
export function decodeFormat(key: Uint8Array, stored: Uint8Array): FormatRecord | null {
  const value = asBuffer(stored)
  const start = HEADER_BYTES + MAGIC.length
  if (value.length < start + 10 || value.readUInt32BE(0) !== checksum(key, value)) return null
  if (!value.subarray(HEADER_BYTES, start).equals(MAGIC)) return null
  return {
    version: value.readUInt16BE(start),
    databaseId: value.toString('hex', start + 2, start + 10),
  }
}

/** flags(1) generation(4) snapshot seq(8) previous seq(8), which is all that the first releases wrote, then seq(8) lost seq(8) */
const FIRST_DOCUMENT_BYTES = HEADER_BYTES + 1 + 4 + 8 + 8
const DOCUMENT_BYTES = FIRST_DOCUMENT_BYTES + 8 + 8

export function encodeDocument(key: Uint8Array, record: DocumentRecord): Uint8Array {
  const value = Buffer.allocUnsafe(DOCUMENT_BYTES)
  let offset = value.writeUInt8(record.isWritten ? 1 : 0, HEADER_BYTES)
  offset = value.writeUInt32BE(record.generation, offset)
  offset = value.writeBigUInt64BE(BigInt(record.snapshotSeq), offset)
  offset = value.writeBigUInt64BE(BigInt(record.previousSeq), offset)
  offset = value.writeBigUInt64BE(BigInt(record.seq), offset)
  value.writeBigUInt64BE(BigInt(record.lostSeq), offset)
  return seal(key, value)
}

export function decodeDocument(key: Uint8Array, stored: Uint8Array, name: string): DocumentRecord {
  const value = unseal(key, stored, FIRST_DOCUMENT_BYTES, { name, what: 'record' })
  const isFirst = value.length < DOCUMENT_BYTES
  return {
    isWritten: value.readUInt8(HEADER_BYTES) === 1,
    generation: value.readUInt32BE(HEADER_BYTES + 1),
    snapshotSeq: Number(value.readBigUInt64BE(HEADER_BYTES + 5)),
    previousSeq: Number(value.readBigUInt64BE(HEADER_BYTES + 13)),
    seq: isFirst ? 0 : Number(value.readBigUInt64BE(FIRST_DOCUMENT_BYTES)),
    lostSeq: isFirst ? 0 : Number(value.readBigUInt64BE(FIRST_DOCUMENT_BYTES + 8)),
  }
}

/** bytes(8) chunk bytes(4) index bytes(8), then a checksum(4) for each chunk */
const MANIFEST_BYTES = HEADER_BYTES + 8 + 4 + 8

export function encodeManifest(key: Uint8Array, manifest: Manifest): Uint8Array {
  const { chunkChecksums } = manifest
  const value = Buffer.allocUnsafe(MANIFEST_BYTES + 4 * chunkChecksums.length)
  value.writeBigUInt64BE(BigInt(manifest.bytes), HEADER_BYTES)
  value.writeUInt32BE(manifest.chunkBytes, HEADER_BYTES + 8)
  let offset = value.writeBigUInt64BE(BigInt(manifest.indexBytes), HEADER_BYTES + 12)
  for (const checksum of chunkChecksums) offset = value.writeUInt32BE(checksum, offset)
  return seal(key, value)
}

export function decodeManifest(key: Uint8Array, stored: Uint8Array, place: RecordPlace): Manifest {
  const value = unseal(key, stored, MANIFEST_BYTES, place)
  return {
    bytes: Number(value.readBigUInt64BE(HEADER_BYTES)),
    chunkBytes: value.readUInt32BE(HEADER_BYTES + 8),
    indexBytes: Number(value.readBigUInt64BE(HEADER_BYTES + 12)),
    chunkChecksums: Array.from({ length: (value.length - MANIFEST_BYTES) >> 2 }, (_, position) =>
      value.readUInt32BE(MANIFEST_BYTES + 4 * position),
    ),
  }
}

export function encodeMerged(key: Uint8Array, bytes: number): Uint8Array {
  const value = Buffer.allocUnsafe(HEADER_BYTES + 8)
  value.writeBigUInt64BE(BigInt(bytes), HEADER_BYTES)
  return seal(key, value)
}

/** 0 when the record is damaged: the tables are merged once too often, and it is written anew. */
export function decodeMerged(key: Uint8Array, stored: Uint8Array): number {
  const value = asBuffer(stored)
  const isWhole = value.length >= HEADER_BYTES + 8 && value.readUInt32BE(0) === checksum(key, value)
  return isWhole ? Number(value.readBigUInt64BE(HEADER_BYTES)) : 0
}

/** A record of bytes alone: a chunk of a snapshot, or the empty mark of an unswept document. */
export function encodeBytes(key: Uint8Array, bytes: Uint8Array): Uint8Array {
  const value = Buffer.allocUnsafe(HEADER_BYTES + bytes.length)
  value.set(bytes, HEADER_BYTES)
  return seal(key, value)
}

export function decodeBytes(key: Uint8Array, stored: Uint8Array, place: RecordPlace): Uint8Array {
  return bytesFrom(unseal(key, stored, HEADER_BYTES, place), HEADER_BYTES)
}

/** The checksum that a record begins with. */
export function checksumOf(stored: Uint8Array): number {
  return asBuffer(stored).readUInt32BE(0)
}

/** The same record for another key, its checksum compared. */
export function reseal(
  key: Uint8Array,
  stored: Uint8Array,
  newKey: Uint8Array,
  place: RecordPlace,
): Uint8Array {
  const { value, version } = unsealAny(key, stored, place)
  return seal(newKey, Buffer.from(value), version)
}

/** Fills in the header of a record. */
export function seal(key: Uint8Array, value: Buffer, version = RECORD_VERSION): Buffer {
  value[CRC_BYTES] = version
  value.writeUInt32BE(checksum(key, value), 0)
  return value
}

function unseal(
  key: Uint8Array,
  stored: Uint8Array,
  leastBytes: number,
  place: RecordPlace,
): Buffer {
  const { value, version } = unsealAny(key, stored, place)
  if (version !== RECORD_VERSION || value.length < leastBytes)
    throw recordDamaged(place, `has the unknown version ${version}`)
  return value
}

/** A record of whatever version, its checksum compared. */
export function unsealAny(
  key: Uint8Array,
  stored: Uint8Array,
  place: RecordPlace,
): { readonly value: Buffer; readonly version: number } {
  const value = asBuffer(stored)
  if (value.length < HEADER_BYTES || value.readUInt32BE(0) !== checksum(key, value))
    throw recordDamaged(place, 'does not match its checksum')
  return { value, version: value[CRC_BYTES] as number }
}

function checksum(key: Uint8Array, value: Buffer): number {
  return crc32(value.subarray(CRC_BYTES), crc32(key))
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** A plain Uint8Array, whose `slice` copies, where a Buffer's does not. */
export function bytesFrom(value: Buffer, start: number, end = value.length): Uint8Array {
  return new Uint8Array(value.buffer, value.byteOffset + start, end - start)
}
