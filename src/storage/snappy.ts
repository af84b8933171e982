import { ByteCursor } from './byte-cursor.ts'

/**
 * Decompresses a block in Snappy's format (github.com/google/snappy/blob/main/format_description.txt): the length, then pieces
 * that are new bytes or a copy of earlier ones. Throws a RangeError when it is not one; its checksum should be checked before.
 */
export function unsnappy(compressed: Buffer): Buffer {
  const source = new ByteCursor(compressed)
  const target = Buffer.alloc(source.varint())
  let at = 0
  while (!source.isAtEnd) {
    const tag = source.byte()
    if ((tag & 3) === 0) {
      const length = literalLength(source, tag >> 2)
      at += source.bytes(length).copy(target, at)
      continue
    }
    const { length, offset } = readCopy(source, tag)
    if (offset === 0 || offset > at || at + length > target.length)
      throw new RangeError('no such copy')
    // Byte by byte: a copy may reach into what it is writing.
    for (const end = at + length; at < end; at++) target[at] = target[at - offset] as number
  }
  if (at !== target.length) throw new RangeError('shorter than it says')
  return target
}

/** Up to 60 it is in the tag itself, beyond in the one to four bytes behind it. */
function literalLength(source: ByteCursor, inTag: number): number {
  return (inTag < 60 ? inTag : littleEndian(source, inTag - 59)) + 1
}

function readCopy(source: ByteCursor, tag: number): { length: number; offset: number } {
  if ((tag & 3) === 1)
    return { length: ((tag >> 2) & 7) + 4, offset: ((tag >> 5) << 8) | source.byte() }
  return { length: (tag >> 2) + 1, offset: littleEndian(source, (tag & 3) === 2 ? 2 : 4) }
}

function littleEndian(source: ByteCursor, bytes: number): number {
  let value = 0
  for (let position = 0; position < bytes; position++) value += source.byte() * 256 ** position
  return value
}
