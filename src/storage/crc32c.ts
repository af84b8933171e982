/** The checksum of LevelDB's files (CRC-32 with Castagnoli's polynomial, reflected), which Node's zlib does not have. */
export function crc32c(bytes: Uint8Array, seed = 0): number {
  let crc = ~seed
  for (let at = 0; at < bytes.length; at++)
    crc = (crc >>> 8) ^ (TABLE[(crc ^ (bytes[at] as number)) & 0xff] as number)
  return ~crc >>> 0
}

/** LevelDB stores checksums rotated and shifted, so that a checksum over bytes that hold one stays a good one. */
export function unmasked(stored: number): number {
  const rotated = (stored - 0xa282ead8) >>> 0
  return ((rotated >>> 17) | (rotated << 15)) >>> 0
}

export function masked(checksum: number): number {
  return (((checksum >>> 15) | (checksum << 17)) + 0xa282ead8) >>> 0
}

/**
 * Where a piece that begins at `start` ends, when its length is not known: behind the first byte that the checksum of everything up
 * to it follows. `isEnd` says which bytes may be the last. -1: nowhere.
 */
export function findChecksummedEnd(
  bytes: Buffer,
  start: number,
  isEnd: (byte: number) => boolean,
): number {
  let crc = ~0
  for (let at = start; at + 5 <= bytes.length; at++) {
    const byte = bytes[at] as number
    crc = (crc >>> 8) ^ (TABLE[(crc ^ byte) & 0xff] as number)
    if (isEnd(byte) && unmasked(bytes.readUInt32LE(at + 1)) === ~crc >>> 0) return at + 1
  }
  return -1
}

const POLYNOMIAL = 0x82f63b78

const TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0)
  return crc
})
