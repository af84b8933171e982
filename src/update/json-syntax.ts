const QUOTE = 0x22
const BACKSLASH = 0x5c
const LOWER_U = 0x75
const ZERO = 0x30
const MINUS = 0x2d

const SIMPLE_ESCAPES = new Set([...'"\\/bfnrt'].map((character) => character.charCodeAt(0)))
const LITERALS = ['true', 'false', 'null'].map((word) => new TextEncoder().encode(word))

/**
 * Whether JSON.parse would take the text in `bytes[from..to)`, which is known to be UTF-8, and its
 * arrays and objects nest at most `maxDepth` deep. Builds nothing: the values that JSON.parse would
 * make can weigh thirty times their text.
 */
export function isJson(bytes: Uint8Array, from: number, to: number, maxDepth: number): boolean {
  return new JsonSyntax(bytes, from, to).accepts(maxDepth)
}

class JsonSyntax {
  readonly #bytes: Uint8Array
  readonly #end: number
  #position: number

  constructor(bytes: Uint8Array, from: number, to: number) {
    this.#bytes = bytes
    this.#position = from
    this.#end = to
  }

  accepts(maxDepth: number): boolean {
    if (!this.#value(maxDepth)) return false
    this.#space()
    return this.#position === this.#end
  }

  /** The byte here, or -1 at the end. */
  #peek(): number {
    return this.#position < this.#end ? (this.#bytes[this.#position] as number) : -1
  }

  #take(byte: number): boolean {
    if (this.#peek() !== byte) return false
    this.#position++
    return true
  }

  #space(): void {
    for (;;) {
      const byte = this.#peek()
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return
      this.#position++
    }
  }

  /** Recursion is as deep as `depth` allows, so the stack is bounded. */
  #value(depth: number): boolean {
    this.#space()
    switch (this.#peek()) {
      case QUOTE:
        return this.#string()
      case 0x7b: // {
        return depth > 0 && this.#members(0x7d, () => this.#pair(depth - 1))
      case 0x5b: // [
        return depth > 0 && this.#members(0x5d, () => this.#value(depth - 1))
      case 0x74:
      case 0x66:
      case 0x6e:
        return this.#literal()
      default:
        return this.#number()
    }
  }

  #members(close: number, member: () => boolean): boolean {
    this.#position++
    this.#space()
    if (this.#take(close)) return true
    for (;;) {
      if (!member()) return false
      this.#space()
      if (this.#take(close)) return true
      if (!this.#take(0x2c)) return false
    }
  }

  #pair(depth: number): boolean {
    this.#space()
    if (this.#peek() !== QUOTE || !this.#string()) return false
    this.#space()
    return this.#take(0x3a) && this.#value(depth)
  }

  #literal(): boolean {
    for (const word of LITERALS) {
      if (word[0] !== this.#peek()) continue
      for (const byte of word) if (!this.#take(byte)) return false
      return true
    }
    return false
  }

  #string(): boolean {
    this.#position++
    for (;;) {
      const byte = this.#peek()
      if (byte < 0x20) return false
      this.#position++
      if (byte === QUOTE) return true
      if (byte === BACKSLASH && !this.#escape()) return false
    }
  }

  #escape(): boolean {
    const byte = this.#peek()
    this.#position++
    if (byte !== LOWER_U) return SIMPLE_ESCAPES.has(byte)
    for (let digit = 0; digit < 4; digit++) {
      if (!isHexDigit(this.#peek())) return false
      this.#position++
    }
    return true
  }

  #number(): boolean {
    this.#take(MINUS)
    if (!this.#take(ZERO) && !this.#digits()) return false
    if (this.#take(0x2e) && !this.#digits()) return false
    if (this.#take(0x65) || this.#take(0x45)) {
      if (!this.#take(0x2b)) this.#take(MINUS)
      return this.#digits()
    }
    return true
  }

  #digits(): boolean {
    const start = this.#position
    while (isDigit(this.#peek())) this.#position++
    return this.#position > start
  }
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= 0x39
}

function isHexDigit(byte: number): boolean {
  const lower = byte | 0x20
  return isDigit(byte) || (lower >= 0x61 && lower <= 0x66)
}
