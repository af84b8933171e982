import { findChecksummedEnd } from './crc32c.ts'
import type { KeySpan } from './key-span.ts'
import { blockEntries, openBlock, TRAILER_BYTES } from './level-block.ts'
import { type Table, userKey } from './level-manifest.ts'
import {
  blockAt,
  encodeTable,
  FOOTER_BYTES,
  type IndexedBlock,
  readIndex,
} from './level-table-file.ts'

export interface SalvagedTable {
  /** A whole table of the same size with everything that could be read. */
  readonly content: Buffer
  /** Where rows may have been that it no longer has. */
  readonly lost: readonly KeySpan[]
}

/**
 * Makes a whole table of a damaged one (null: of one that is not there). A table has the number and the size of the one it replaces, so
 * that the manifest, and the order in which LevelDB looks through its tables, stay as they are. Null: that is not possible.
 */
export function salvageTable(damaged: Buffer | null, table: Table): SalvagedTable | null {
  const content = (damaged ?? Buffer.alloc(0)).subarray(0, table.bytes)
  const index = content.length < table.bytes ? null : readIndex(content)
  const { blocks, lost } =
    index === null ? blocksInARow(content, table) : blocksOfIndex(content, table, index)
  const encoded = encodeTable(content, blocks, table.bytes)
  return encoded === null ? null : { content: encoded, lost }
}

interface Found {
  readonly blocks: readonly IndexedBlock[]
  readonly lost: readonly KeySpan[]
}

function blocksOfIndex(content: Buffer, table: Table, index: readonly IndexedBlock[]): Found {
  const blocks: IndexedBlock[] = []
  const lost: KeySpan[] = []
  const largest = userKey(table.largest)
  let from = userKey(table.smallest)
  for (const block of index) {
    const upTo = userKey(block.separator)
    if (isWhole(content, block)) blocks.push(block)
    else lost.push({ from, upTo: Buffer.compare(upTo, largest) < 0 ? upTo : largest })
    from = behind(upTo)
  }
  return { blocks, lost }
}

function isWhole(content: Buffer, { handle }: IndexedBlock): boolean {
  // Behind the data, at least, there is a footer.
  if (handle.offset + handle.size + TRAILER_BYTES > content.length - FOOTER_BYTES) return false
  return blockAt(content, handle) !== null
}

/**
 * Without an index: the data blocks lie one behind the other from the beginning. Where one ends its checksum tells; which is the last,
 * the manifest, which has its last key.
 */
function blocksInARow(content: Buffer, table: Table): Found {
  const blocks: IndexedBlock[] = []
  let from = userKey(table.smallest)
  for (let offset = 0; ;) {
    const end = findChecksummedEnd(content, offset, isCompression)
    const lastKey = end < 0 ? null : lastKeyIn(content.subarray(offset, end + TRAILER_BYTES - 1))
    if (lastKey === null || Buffer.compare(userKey(lastKey), from) < 0) break
    blocks.push({ separator: lastKey, handle: { offset, size: end - 1 - offset } })
    if (lastKey.equals(table.largest)) return { blocks, lost: [] }
    // The same key may stand in the next block once more: an older row of it, which the newer one hides.
    from = userKey(lastKey)
    offset = end + TRAILER_BYTES - 1
  }
  const start = blocks.length === 0 ? from : behind(from)
  return { blocks, lost: [{ from: start, upTo: userKey(table.largest) }] }
}

/** Null: this is no block of rows. */
function lastKeyIn(block: Buffer): Buffer | null {
  try {
    const content = openBlock(block)
    return content === null ? null : ([...blockEntries(content)].at(-1)?.key ?? null)
  } catch {
    return null
  }
}

/** Uncompressed, or Snappy. */
function isCompression(byte: number): boolean {
  return byte <= 1
}

/** The smallest key above. */
function behind(key: Buffer): Buffer {
  return Buffer.concat([key, Buffer.of(0)])
}
