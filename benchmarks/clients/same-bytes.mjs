// What a room sends arrives hundreds of times, byte for byte the same. Every byte of every arrival is compared with what came before,
// which costs a hundredth of looking into it again; equal messages become one object, so that whatever is worked out for one of them holds for all.

/** Messages are looked up by their length and so many of their first bytes: headers and clocks are there, which no two messages share. */
export const HEAD_BYTES = 48

/** What came lately is in one of two generations: the older one goes when the younger one has so much. */
const GENERATION_MESSAGES = 8192
const GENERATION_BYTES = 128 * 1024 * 1024

/** A message of which the first `filled` bytes are known: from whoever has received most of it. */
class Message {
  filled = 0

  constructor(length) {
    this.bytes = Buffer.allocUnsafe(length)
  }
}

export class SameBytes {
  #young = new Map()
  #old = new Map()
  #youngBytes = 0

  /** The message of that length which `chunk` has the first bytes of, from there: one that began the same, or a new one. */
  begin(chunk, from, length) {
    const key = keyOf(chunk, from, length)
    let message = this.#young.get(key)
    if (message !== undefined && message.bytes.length === length) return message
    message = this.#old.get(key)
    if (message === undefined || message.bytes.length !== length) message = new Message(length)
    this.#keep(key, message)
    return message
  }

  /**
   * One receiver, which has `at` bytes of the message, has received chunk[from, to) of it too. Gives the message that has
   * these: the same one, or, when they differ, one of its own.
   */
  add(message, at, chunk, from, to) {
    const known = Math.min(message.filled - at, to - from)
    if (known > 0 && chunk.compare(message.bytes, at, at + known, from, from + known) !== 0) {
      const other = new Message(message.bytes.length)
      message.bytes.copy(other.bytes, 0, 0, at)
      chunk.copy(other.bytes, at, from, to)
      other.filled = at + to - from
      // Whoever still follows the former one keeps it; who begins from now on takes the newer one.
      this.#keep(keyOf(other.bytes, 0, other.bytes.length), other)
      return other
    }
    if (known < to - from) {
      chunk.copy(message.bytes, at + known, from + known, to)
      message.filled = at + to - from
    }
    return message
  }

  #keep(key, message) {
    this.#young.set(key, message)
    this.#youngBytes += message.bytes.length
    if (this.#young.size < GENERATION_MESSAGES && this.#youngBytes < GENERATION_BYTES) return
    this.#old = this.#young
    this.#young = new Map()
    this.#youngBytes = 0
  }
}

/** FNV-1a of the length and the first bytes. Two messages with the same one are compared and found different: it only costs. */
function keyOf(bytes, from, length) {
  const to = from + Math.min(HEAD_BYTES, length)
  let hash = length
  for (let at = from; at < to; at++) hash = Math.imul(hash ^ bytes[at], 16_777_619)
  return hash
}

/** `read` of each message once, however many receive it. The answer is shared: nobody may change it. */
export function perMessage(read) {
  const answers = new WeakMap()
  return (bytes) => {
    let answer = answers.get(bytes)
    if (answer === undefined) answers.set(bytes, (answer = read(bytes)))
    return answer
  }
}

const wholes = new WeakMap()

/** Chunks put together: once for all who have received the same ones. */
export function wholeOf(chunks) {
  if (chunks.length === 1) return chunks[0]
  const known = wholes.get(chunks[0])
  if (
    known?.chunks.length === chunks.length &&
    known.chunks.every((chunk, at) => chunk === chunks[at])
  )
    return known.whole
  const whole = Buffer.concat(chunks)
  wholes.set(chunks[0], { chunks, whole })
  return whole
}
