/**
 * One Socket.IO event, encoded once and written to any number of sockets.
 *
 * The stock parser makes two packets of an event with bytes (a text header and an attachment), and engine.io
 * writes each to the socket on its own. Both WebSocket frames, put behind one another in one buffer, are one
 * write: less than half the CPU per recipient, and the client sees exactly what it would have seen.
 */
export interface SharedFrames {
  /** The packets as the parser made them: for long polling and other transports. */
  readonly packets: readonly (string | Buffer)[]
  /** The same as WebSocket frames, in at most two buffers (ws's `sendFrame` takes no more). */
  readonly frames: readonly Buffer[]
  /** What a recipient is charged with while the bytes are unsent. */
  readonly bytes: number
}

/** Attachments up to this size are copied behind their header; larger ones are written from where they are. */
const COPY_BYTES = 4096

/** The type of a message, with which Engine.IO's text packets begin; binary messages are bare. */
const MESSAGE = 0x34
const TEXT_FRAME = 0x81
const BINARY_FRAME = 0x82

/** Up to this length a frame says it in its second byte; then in two more, which reach so far; then in eight. */
const SHORT_FRAME_BYTES = 125
const MEDIUM_FRAME_BYTES = 65_535

export function shareFrames(packets: readonly (string | Buffer)[]): SharedFrames {
  const last = packets.at(-1)
  const attachment = typeof last === 'object' && last.length > COPY_BYTES ? last : null
  let bytes = 0
  for (const packet of packets) bytes += frameBytes(packet)
  const target = Buffer.allocUnsafe(bytes - (attachment?.length ?? 0))
  let at = 0
  for (const packet of packets)
    if (packet === attachment) at = writeHeader(target, at, BINARY_FRAME, packet.length)
    else at = writeFrame(target, at, packet)
  return { packets, frames: attachment === null ? [target] : [target, attachment], bytes }
}

/** Several texts behind one another, each a packet of its own, as one write. */
export function textFrames(packets: readonly string[]): Buffer {
  let bytes = 0
  for (const packet of packets) bytes += frameBytes(packet)
  const target = Buffer.allocUnsafe(bytes)
  let at = 0
  for (const packet of packets) at = writeFrame(target, at, packet)
  return target
}

function frameBytes(packet: string | Buffer): number {
  const length = typeof packet === 'string' ? 1 + Buffer.byteLength(packet) : packet.length
  return headerBytes(length) + length
}

function headerBytes(length: number): number {
  if (length <= SHORT_FRAME_BYTES) return 2
  return length <= MEDIUM_FRAME_BYTES ? 4 : 10
}

/** Answers where it ends. */
function writeFrame(target: Buffer, at: number, packet: string | Buffer): number {
  if (typeof packet !== 'string') {
    const start = writeHeader(target, at, BINARY_FRAME, packet.length)
    target.set(packet, start)
    return start + packet.length
  }
  const length = Buffer.byteLength(packet)
  const start = writeHeader(target, at, TEXT_FRAME, 1 + length)
  target[start] = MESSAGE
  // All of it ASCII, as nearly every one is: half the time.
  if (length === packet.length) target.write(packet, start + 1, length, 'latin1')
  else target.write(packet, start + 1)
  return start + 1 + length
}

/** The header of an unmasked, final WebSocket frame (RFC 6455 §5.2), as servers send it. Answers where it ends. */
function writeHeader(target: Buffer, at: number, first: number, length: number): number {
  target[at] = first
  if (length <= SHORT_FRAME_BYTES) {
    target[at + 1] = length
    return at + 2
  }
  if (length <= MEDIUM_FRAME_BYTES) {
    target[at + 1] = 126
    return target.writeUInt16BE(length, at + 2)
  }
  target[at + 1] = 127
  return target.writeBigUInt64BE(BigInt(length), at + 2)
}
