// WebSocket frames (RFC 6455 §5.2) as a client reads and writes them.
import { HEAD_BYTES, SameBytes } from './same-bytes.mjs'

const FINAL = 0x80
const RESERVED = 0x70
const OPCODE = 0x0f
const MASKED = 0x80
const [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG] = [0, 1, 2, 8, 9, 10]
const FIRST_CONTROL = 8
/** Lengths that say: the length is in the next two, or eight, bytes. */
const [LENGTH_16, LENGTH_64] = [126, 127]
const MAX_LENGTH_16 = 0xffff
const MASK_BYTES = 4

/** One for all connections of this process: that is what makes equal messages of different receivers one object. */
const messages = new SameBytes()

/**
 * Takes what one connection receives, in whatever pieces. A message is given as bytes that stay what they are: the same Buffer
 * for all receivers of the same bytes.
 */
export class FrameReader {
  /** The beginning of a frame which is too short to go on with. */
  #rest = null
  /** A frame whose payload has not all come: { message, at, first }. */
  #open = null
  /** Payloads of a message that comes in several frames. */
  #fragments = null

  /** `listener` has handleMessage(bytes, isText), handlePing(bytes) and handleClose(). */
  constructor(listener) {
    this.listener = listener
  }

  /** The chunk is not kept. */
  read(piece) {
    let chunk = piece
    if (this.#rest !== null) {
      chunk = Buffer.concat([this.#rest, piece])
      this.#rest = null
    }
    let at = this.#open === null ? 0 : this.#goOn(chunk)
    while (at < chunk.length) {
      const next = this.#readFrame(chunk, at)
      if (next < 0) {
        this.#rest = Buffer.from(chunk.subarray(at))
        return
      }
      at = next
    }
  }

  /** Where the frame at that place ends, or the chunk before it does; -1 if there is not enough of it. */
  #readFrame(chunk, start) {
    const available = chunk.length - start
    if (available < 2) return -1
    const first = chunk[start]
    let length = chunk[start + 1]
    if ((first & RESERVED) !== 0 || (length & MASKED) !== 0)
      throw new Error(`a frame begins with ${first} ${length}`)
    let from = start + 2
    if (length === LENGTH_16) {
      if (available < 4) return -1
      length = chunk.readUInt16BE(from)
      from += 2
    } else if (length === LENGTH_64) {
      if (available < 10) return -1
      length = Number(chunk.readBigUInt64BE(from))
      from += 8
    }
    const here = chunk.length - from
    if (here < length && here < HEAD_BYTES) return -1
    const opcode = first & OPCODE
    if (opcode >= FIRST_CONTROL) {
      // No longer than 125 bytes, but longer than what is waited for above.
      if (here < length) return -1
      this.#handleControl(opcode, Buffer.from(chunk.subarray(from, from + length)))
      return from + length
    }
    const to = Math.min(chunk.length, from + length)
    const message = messages.add(messages.begin(chunk, from, length), 0, chunk, from, to)
    if (here < length) this.#open = { message, at: here, first }
    else this.#handleFrame(first, message.bytes)
    return to
  }

  #goOn(chunk) {
    const { message, at, first } = this.#open
    const to = Math.min(chunk.length, message.bytes.length - at)
    const added = messages.add(message, at, chunk, 0, to)
    this.#open = at + to < added.bytes.length ? { message: added, at: at + to, first } : null
    if (this.#open === null) this.#handleFrame(first, added.bytes)
    return to
  }

  #handleFrame(first, bytes) {
    const opcode = first & OPCODE
    const isFinal = (first & FINAL) !== 0
    if (opcode !== CONTINUATION && isFinal) this.listener.handleMessage(bytes, opcode === TEXT)
    else if (opcode !== CONTINUATION) this.#fragments = { isText: opcode === TEXT, parts: [bytes] }
    else {
      this.#fragments.parts.push(bytes)
      if (!isFinal) return
      const { isText, parts } = this.#fragments
      this.#fragments = null
      const whole = Buffer.concat(parts)
      const message = messages.begin(whole, 0, whole.length)
      this.listener.handleMessage(messages.add(message, 0, whole, 0, whole.length).bytes, isText)
    }
  }

  #handleControl(opcode, bytes) {
    if (opcode === PING) this.listener.handlePing(bytes)
    else if (opcode === CLOSE) this.listener.handleClose()
  }
}

/** Not a secret here; but not zero, which servers would have nothing to undo for. */
const MASK = Uint8Array.of(0x5a, 0x3c, 0x96, 0xe1)

export const textFrame = (bytes) => ({ opcode: TEXT, bytes })
export const binaryFrame = (bytes) => ({ opcode: BINARY, bytes })
export const pongFrame = (bytes) => ({ opcode: PONG, bytes })

/** Frames behind one another in one buffer, masked, as clients have to. */
export function writeFrames(frames) {
  let length = 0
  for (const { bytes } of frames) length += headerBytes(bytes.length) + bytes.length
  const buffer = Buffer.allocUnsafe(length)
  let at = 0
  for (const { opcode, bytes } of frames) {
    at = writeHeader(buffer, at, opcode, bytes.length)
    for (let index = 0; index < bytes.length; index++)
      buffer[at + index] = bytes[index] ^ MASK[index & (MASK_BYTES - 1)]
    at += bytes.length
  }
  return buffer
}

function headerBytes(length) {
  if (length < LENGTH_16) return 2 + MASK_BYTES
  return (length <= MAX_LENGTH_16 ? 4 : 10) + MASK_BYTES
}

function writeHeader(buffer, start, opcode, length) {
  buffer[start] = FINAL | opcode
  let at = start + 2
  if (length < LENGTH_16) buffer[start + 1] = MASKED | length
  else if (length <= MAX_LENGTH_16) {
    buffer[start + 1] = MASKED | LENGTH_16
    at = buffer.writeUInt16BE(length, at)
  } else {
    buffer[start + 1] = MASKED | LENGTH_64
    at = buffer.writeBigUInt64BE(BigInt(length), at)
  }
  buffer.set(MASK, at)
  return at + MASK_BYTES
}
