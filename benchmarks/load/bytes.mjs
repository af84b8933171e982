// Just enough of lib0's encoding for the load: no allocation that a client of a real editor would not need either.
export function varUint(value) {
  const bytes = []
  let rest = value
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128)
  bytes.push(rest)
  return bytes
}

export const varBytes = (bytes) => [...varUint(bytes.length), ...bytes]
export const varText = (text) => varBytes(new TextEncoder().encode(text))

export class Reader {
  constructor(bytes) {
    this.bytes = bytes
    this.at = 0
  }

  get hasMore() {
    return this.at < this.bytes.length
  }

  varUint() {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = this.bytes[this.at++]
      if (byte === undefined) throw new RangeError('the message ends too early')
      value += (byte & 127) * factor
      if (byte < 128) return value
    }
  }

  varBytes() {
    const length = this.varUint()
    return this.bytes.subarray(this.at, (this.at += length))
  }

  varText() {
    return new TextDecoder().decode(this.varBytes())
  }
}
