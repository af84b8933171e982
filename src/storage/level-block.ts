import { ByteCursor } from './byte-cursor.ts'
import { crc32c, masked, unmasked } from './crc32c.ts'
import { unsnappy } from './snappy.ts'

/**
 * The blocks of LevelDB's tables: rows in the order of their keys, then one byte for the compression and a checksum over both. Keys
 * share their beginnings with the key before; the end of a block is a list of the places of the keys that do not, and their number.
 */
export const TRAILER_BYTES = 5
const UNCOMPRESSED = 0
const SNAPPY = 1
/** As LevelDB does it in its data blocks. */
const KEYS_PER_RESTART = 16

export interface BlockHandle {
  readonly offset: number
  readonly size: number
}

export interface BlockEntry {
  readonly key: Buffer
  readonly value: Buffer
}

/** `bytes`: a block with its trailer. Null: it does not match its checksum. */
export function openBlock(bytes: Buffer): Buffer | null {
  const size = bytes.length - TRAILER_BYTES
  if (size < 0) return null
  const checksum = unmasked(bytes.readUInt32LE(size + 1))
  if (checksum !== crc32c(bytes.subarray(0, size + 1))) return null
  const content = bytes.subarray(0, size)
  return bytes[size] === SNAPPY ? unsnappy(content) : content
}

export function* blockEntries(block: Buffer): Generator<BlockEntry> {
  const restarts = block.readUInt32LE(block.length - 4)
  const cursor = new ByteCursor(block.subarray(0, block.length - 4 * (restarts + 1)))
  let key: Buffer = Buffer.alloc(0)
  while (!cursor.isAtEnd) {
    const shared = cursor.varint()
    const ownBytes = cursor.varint()
    const valueBytes = cursor.varint()
    key = Buffer.concat([key.subarray(0, shared), cursor.bytes(ownBytes)])
    yield { key, value: cursor.bytes(valueBytes) }
  }
}

/** A block with its trailer, not compressed. */
export function encodeBlock(entries: readonly BlockEntry[]): Buffer {
  const parts: Buffer[] = []
  const restarts: number[] = []
  let length = 0
  let before: Buffer = Buffer.alloc(0)
  for (const [position, { key, value }] of entries.entries()) {
    const isRestart = position % KEYS_PER_RESTART === 0
    if (isRestart) restarts.push(length)
    const shared = isRestart ? 0 : sharedBytes(before, key)
    const own = key.subarray(shared)
    const header = encodeVarints(shared, own.length, value.length)
    parts.push(header, own, value)
    length += header.length + own.length + value.length
    before = key
  }
  if (restarts.length === 0) restarts.push(0)
  const end = Buffer.alloc(4 * (restarts.length + 1) + 1)
  for (const [position, restart] of restarts.entries()) end.writeUInt32LE(restart, 4 * position)
  end.writeUInt32LE(restarts.length, 4 * restarts.length)
  end.writeUInt8(UNCOMPRESSED, end.length - 1)
  const block = Buffer.concat([...parts, end])
  const checksum = Buffer.alloc(4)
  checksum.writeUInt32LE(masked(crc32c(block)))
  return Buffer.concat([block, checksum])
}

export function readHandle(cursor: ByteCursor): BlockHandle {
  return { offset: cursor.varint(), size: cursor.varint() }
}

export function encodeHandle({ offset, size }: BlockHandle): Buffer {
  return encodeVarints(offset, size)
}

function sharedBytes(one: Buffer, other: Buffer): number {
  const most = Math.min(one.length, other.length)
  let shared = 0
  while (shared < most && one[shared] === other[shared]) shared++
  return shared
}

function encodeVarints(...numbers: readonly number[]): Buffer {
  const bytes: number[] = []
  for (const number of numbers) {
    let rest = number
    for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest & 0x7f) | 0x80)
    bytes.push(rest)
  }
  return Buffer.from(bytes)
}
