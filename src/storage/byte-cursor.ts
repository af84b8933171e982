/** Reads the numbers and byte strings of LevelDB's files, one after the other. Throws a RangeError behind the end. */
export class ByteCursor {
  readonly #source: Buffer
  #at = 0

  constructor(source: Buffer) {
    this.#source = source
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#source.length
  }

  /** Little endian, seven bits to a byte. Above 2^53 it is not exact, and far beyond every file. */
  varint(): number {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#source.readUInt8(this.#at++)
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
    }
  }

  bytes(length: number): Buffer {
    if (this.#at + length > this.#source.length) throw new RangeError('behind the end')
    return this.#source.subarray(this.#at, (this.#at += length))
  }

  byte(): number {
    return this.#source.readUInt8(this.#at++)
  }
}
