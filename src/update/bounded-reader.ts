import { utf16Length } from './utf8.ts'

/** The bytes are not what they should be. It is thrown and caught inside this folder only. */
export class MalformedBytes extends Error {
  override readonly name = 'MalformedBytes'
  /** Which of the scan's limits was reached, if one was. */
  readonly limit: 'structs' | 'nesting' | null

  constructor(message: string, limit: 'structs' | 'nesting' | null = null) {
    super(message)
    this.limit = limit
  }
}

/** 8 groups of 7 bits hold every integer up to 2^53 - 1, beyond which JavaScript's are not exact. */
const MAX_VARINT_BYTES = 8

/**
 * Reads lib0's V1 encoding from bytes that a stranger sent. Unlike lib0's decoder it never reads
 * past the end, never makes an integer that is not exact, never allocates by a length it was told,
 * and refuses integers padded with zero groups, so that a number has one encoding.
 */
export class BoundedReader {
  readonly bytes: Uint8Array
  position = 0

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  get remaining(): number {
    return this.bytes.length - this.position
  }

  readUint8(): number {
    if (this.position >= this.bytes.length) throw new MalformedBytes('the bytes end too early')
    return this.bytes[this.position++] as number
  }

  readVarUint(): number {
    const first = this.readUint8()
    return first < 0x80 ? first : this.#readGroups(first & 0x7f, 0x80)
  }

  /** Moves over a signed integer; its value never matters here. */
  skipVarInt(): void {
    const first = this.readUint8()
    if (first >= 0x80) this.#readGroups(first & 0x3f, 0x40)
  }

  skip(length: number): void {
    if (length > this.remaining) throw new MalformedBytes('a length exceeds the bytes')
    this.position += length
  }

  /** Moves over a length and that many bytes. Returns where the bytes start; they end at `position`. */
  skipVarBytes(): number {
    const length = this.readVarUint()
    const start = this.position
    this.skip(length)
    return start
  }

  /** Moves over a string, which must be UTF-8, and returns its length in UTF-16 units. */
  skipVarString(): number {
    const start = this.skipVarBytes()
    const length = utf16Length(this.bytes, start, this.position)
    if (length < 0) throw new MalformedBytes('a string is not UTF-8')
    return length
  }

  #readGroups(first: number, firstWeight: number): number {
    let value = first
    let weight = firstWeight
    for (let read = 1; read < MAX_VARINT_BYTES; read++) {
      const group = this.readUint8()
      value += (group & 0x7f) * weight
      weight *= 0x80
      if (group >= 0x80) continue
      if (group === 0) throw new MalformedBytes('an integer is padded')
      if (value > Number.MAX_SAFE_INTEGER) break
      return value
    }
    throw new MalformedBytes('an integer exceeds 2^53 - 1')
  }
}
