import { crc32c, unmasked } from './crc32c.ts'

/**
 * LevelDB's log format, of its write-ahead logs and manifests: blocks of 32 KiB, in them records of
 *
 *     checksum(4) length(2) type(1) bytes
 *
 * all little endian; the checksum is over type and bytes. A record that spans blocks comes in parts.
 */
const BLOCK_BYTES = 32_768
const HEADER_BYTES = 7
const FULL = 1
const FIRST = 2
const LAST = 4

export interface LogFileContent {
  /** The records up to the first that is not whole. */
  readonly records: readonly Buffer[]
  /**
   * Where damage begins that is no torn end: what was written later is there. Null otherwise: a crash leaves the last
   * record in any state, and LevelDB rightly forgets it.
   */
  readonly damagedAt: number | null
}

export function readLogFile(bytes: Buffer): LogFileContent {
  const records: Buffer[] = []
  let parts: Buffer[] = []
  let at = 0
  while (at < bytes.length) {
    const part = partAt(bytes, at)
    if (part === 'padding') at = nextBlock(at)
    else if (part === null)
      return { records, damagedAt: isFollowedByRecords(bytes, at) ? at : null }
    else {
      if (part.type === FULL || part.type === FIRST) parts = []
      parts.push(part.content)
      if (part.type === FULL || part.type === LAST) records.push(Buffer.concat(parts))
      at = part.end
    }
  }
  return { records, damagedAt: null }
}

interface Part {
  readonly type: number
  readonly content: Buffer
  readonly end: number
}

/** Null: there is no whole part here. */
function partAt(bytes: Buffer, at: number): Part | 'padding' | null {
  const blockEnd = Math.min(nextBlock(at), bytes.length)
  if (blockEnd - at < HEADER_BYTES) return bytes.length === blockEnd ? null : 'padding'
  const length = bytes.readUInt16LE(at + 4)
  const type = bytes[at + 6] as number
  // Space that was given to the file and never written to.
  if (type === 0 && length === 0) return 'padding'
  const end = at + HEADER_BYTES + length
  if (end > blockEnd) return null
  if (unmasked(bytes.readUInt32LE(at)) !== crc32c(bytes.subarray(at + 6, end))) return null
  return { type, content: bytes.subarray(at + HEADER_BYTES, end), end }
}

/** Looks behind the damage where LevelDB goes on reading, and where the damaged record says that it ends. */
function isFollowedByRecords(bytes: Buffer, damagedAt: number): boolean {
  const ends = [nextBlock(damagedAt)]
  if (damagedAt + HEADER_BYTES <= bytes.length)
    ends.push(damagedAt + HEADER_BYTES + bytes.readUInt16LE(damagedAt + 4))
  while ((ends[0] as number) < bytes.length) {
    const part = partAt(bytes, ends[0] as number)
    if (part !== null && part !== 'padding') return true
    ends[0] = nextBlock(ends[0] as number)
  }
  const [, behind] = ends
  const part = behind === undefined || behind >= bytes.length ? null : partAt(bytes, behind)
  return part !== null && part !== 'padding'
}

function nextBlock(at: number): number {
  return at - (at % BLOCK_BYTES) + BLOCK_BYTES
}
