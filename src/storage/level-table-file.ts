import type { FileHandle } from 'node:fs/promises'
import { ByteCursor } from './byte-cursor.ts'
import {
  blockEntries,
  type BlockHandle,
  encodeBlock,
  encodeHandle,
  openBlock,
  readHandle,
  TRAILER_BYTES,
} from './level-block.ts'
import type { Table } from './level-manifest.ts'

/**
 * LevelDB's sorted tables: data blocks, a filter, an index block that tells where each data block lies and a key not below the last one
 * in it, and a footer of 48 bytes that tells where the index lies. LevelDB checks none of it through this binding: a footer or index
 * that names a size of exabytes makes it ask for as much memory, and that ends the process.
 */
export const FOOTER_BYTES = 48
const MAGIC = Buffer.from('57fb808b247547db', 'hex')

/** A data block, as the index has it. */
export interface IndexedBlock {
  /** Not below the last key in the block, and below the first of the next. */
  readonly separator: Buffer
  readonly handle: BlockHandle
}

/** What is wrong with a table, in words that follow its name, or null. `withBlocks`: its data is read, too. */
export async function tableFault(
  file: FileHandle,
  table: Table,
  withBlocks: boolean,
): Promise<string | null> {
  const { size } = await file.stat()
  if (size !== table.bytes) return `has ${size} bytes instead of ${table.bytes}`
  const read = (handle: BlockHandle): Promise<Buffer | null> => readBlock(file, size, handle)
  const footer = await readBytes(file, Math.max(0, size - FOOTER_BYTES), FOOTER_BYTES)
  const handle = indexHandle(footer)
  if (handle === null) return 'has no footer'
  const index = await read(handle)
  if (index === null) return 'has a damaged index'
  if (!withBlocks) return null
  for (const block of indexedBlocks(index))
    if ((await read(block.handle)) === null) return 'has a damaged block'
  return null
}

/** The data blocks as the index of this table has them, or null when its footer or index are damaged. */
export function readIndex(content: Buffer): readonly IndexedBlock[] | null {
  const handle = indexHandle(content.subarray(Math.max(0, content.length - FOOTER_BYTES)))
  const index = handle === null ? null : blockAt(content, handle)
  return index === null ? null : indexedBlocks(index)
}

/** What lies there, or null when it does not match its checksum or is not there. */
export function blockAt(content: Buffer, { offset, size }: BlockHandle): Buffer | null {
  const end = offset + size + TRAILER_BYTES
  return end > content.length ? null : openBlock(content.subarray(offset, end))
}

/**
 * A table of exactly `bytes` bytes in which `blocks` of another lie where they lay. It has no filter: LevelDB does without. Null: behind
 * the blocks is no room for the index.
 */
export function encodeTable(
  content: Buffer,
  blocks: readonly IndexedBlock[],
  bytes: number,
): Buffer | null {
  const filters = encodeBlock([])
  const index = encodeBlock(
    blocks.map(({ separator, handle }) => ({ key: separator, value: encodeHandle(handle) })),
  )
  const indexAt = bytes - FOOTER_BYTES - index.length
  const filtersAt = indexAt - filters.length
  const table = Buffer.alloc(bytes)
  for (const { handle } of blocks) {
    const end = handle.offset + handle.size + TRAILER_BYTES
    if (end > filtersAt) return null
    content.copy(table, handle.offset, handle.offset, end)
  }
  if (filtersAt < 0) return null
  filters.copy(table, filtersAt)
  index.copy(table, indexAt)
  const handles = [
    encodeHandle({ offset: filtersAt, size: filters.length - TRAILER_BYTES }),
    encodeHandle({ offset: indexAt, size: index.length - TRAILER_BYTES }),
  ]
  Buffer.concat(handles).copy(table, bytes - FOOTER_BYTES)
  MAGIC.copy(table, bytes - MAGIC.length)
  return table
}

/** Null: this is no footer. */
function indexHandle(footer: Buffer): BlockHandle | null {
  if (footer.length < FOOTER_BYTES) return null
  if (!footer.subarray(FOOTER_BYTES - MAGIC.length).equals(MAGIC)) return null
  try {
    const cursor = new ByteCursor(footer)
    // Of the filters, which a lookup may do without.
    readHandle(cursor)
    return readHandle(cursor)
  } catch {
    return null
  }
}

function indexedBlocks(index: Buffer): readonly IndexedBlock[] {
  return [...blockEntries(index)].map(({ key, value }) => ({
    separator: key,
    handle: readHandle(new ByteCursor(value)),
  }))
}

async function readBlock(
  file: FileHandle,
  fileBytes: number,
  { offset, size }: BlockHandle,
): Promise<Buffer | null> {
  if (offset + size + TRAILER_BYTES > fileBytes - FOOTER_BYTES) return null
  return openBlock(await readBytes(file, offset, size + TRAILER_BYTES))
}

/** Fewer at the end of the file. */
async function readBytes(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length)
  const { bytesRead } = await file.read(bytes, 0, length, offset)
  return bytes.subarray(0, bytesRead)
}
