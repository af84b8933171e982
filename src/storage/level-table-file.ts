import type { FileHandle } from 'node:fs/promises'
import { crc32c, unmasked } from './crc32c.ts'
import { ByteCursor } from './byte-cursor.ts'
import { unsnappy } from './snappy.ts'

/**
 * LevelDB's sorted tables: data blocks, an index block that tells where each lies and the last key in it, and a footer of 48 bytes that
 * tells where the index lies. A block is followed by one byte for its compression and a checksum over both. LevelDB checks none of it
 * through this binding: a footer or index that names a size of exabytes makes it ask for as much memory, and that ends the process.
 */
const FOOTER_BYTES = 48
const TRAILER_BYTES = 5
const MAGIC = Buffer.from('57fb808b247547db', 'hex')
/** Behind a key in a table: sequence number and kind. */
const KEY_SUFFIX_BYTES = 8
const SNAPPY = 1

interface BlockHandle {
  readonly offset: number
  readonly size: number
}

/** Keys above `after` (null: all) up to `upTo`. */
export interface SuspectRange {
  readonly after: Buffer | null
  readonly upTo: Buffer
}

/** Rejects with a sentence about the fault when footer or index are damaged: then nothing in the table can be found. */
export async function readTable(
  file: FileHandle,
  expectedBytes: number,
  withBlocks: boolean,
): Promise<readonly SuspectRange[]> {
  const { size } = await file.stat()
  if (size !== expectedBytes) throw new Error(`has ${size} bytes instead of ${expectedBytes}`)
  const footer = await read(file, size - FOOTER_BYTES, FOOTER_BYTES)
  if (!footer.subarray(FOOTER_BYTES - MAGIC.length).equals(MAGIC)) throw new Error('has no footer')
  const cursor = new ByteCursor(footer)
  // Of the filter, which is not used; LevelDB does not follow it.
  readHandle(cursor)
  const index = readHandle(cursor)
  const block = await readBlock(file, size, index)
  if (block === null) throw new Error('has a damaged index')
  return withBlocks ? suspectBlocks(file, size, block) : []
}

async function suspectBlocks(
  file: FileHandle,
  fileBytes: number,
  index: Buffer,
): Promise<readonly SuspectRange[]> {
  const suspects: SuspectRange[] = []
  let after: Buffer | null = null
  for (const { key, value } of blockEntries(index)) {
    const upTo = key.subarray(0, key.length - KEY_SUFFIX_BYTES)
    if ((await readBlock(file, fileBytes, readHandle(new ByteCursor(value)))) === null)
      suspects.push({ after, upTo })
    after = upTo
  }
  return suspects
}

/** Null: it does not match its checksum, or lies outside the file. */
async function readBlock(
  file: FileHandle,
  fileBytes: number,
  { offset, size }: BlockHandle,
): Promise<Buffer | null> {
  if (offset + size + TRAILER_BYTES > fileBytes - FOOTER_BYTES) return null
  const bytes = await read(file, offset, size + TRAILER_BYTES)
  const checksum = bytes.readUInt32LE(size + 1)
  if (unmasked(checksum) !== crc32c(bytes.subarray(0, size + 1))) return null
  const content = bytes.subarray(0, size)
  return bytes[size] === SNAPPY ? unsnappy(content) : content
}

/** Keys share their beginnings with the key before; the end of the block is a list of the keys that do not. */
function* blockEntries(block: Buffer): Generator<{ key: Buffer; value: Buffer }> {
  const restarts = block.readUInt32LE(block.length - 4)
  const cursor = new ByteCursor(block.subarray(0, block.length - 4 * (restarts + 1)))
  let key = Buffer.alloc(0)
  while (!cursor.isAtEnd) {
    const shared = cursor.varint()
    const ownBytes = cursor.varint()
    const valueBytes = cursor.varint()
    key = Buffer.concat([key.subarray(0, shared), cursor.bytes(ownBytes)])
    yield { key, value: cursor.bytes(valueBytes) }
  }
}

function readHandle(cursor: ByteCursor): BlockHandle {
  return { offset: cursor.varint(), size: cursor.varint() }
}

async function read(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  if (offset < 0) throw new Error('is too short for a table')
  const bytes = Buffer.allocUnsafe(length)
  const { bytesRead } = await file.read(bytes, 0, length, offset)
  if (bytesRead < length) throw new Error('is cut off')
  return bytes
}
