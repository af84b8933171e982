import { describe, expect, it } from 'vitest'
import {
  binaryFrame,
  FrameReader,
  pongFrame,
  textFrame,
  writeFrames,
} from '../../benchmarks/clients/frames.mjs'

const [CONTINUATION, TEXT, BINARY, CLOSE, PING] = [0, 1, 2, 8, 9]
const FINAL = 0x80
/** One of each form of a length, and those at which one form gives way to the next. */
const LENGTHS = [0, 1, 47, 48, 49, 125, 126, 127, 65_535, 65_536, 70_000]

/** As servers send it: not masked. */
function frame(first: number, payload: Uint8Array): Buffer {
  const { length } = payload
  if (length < 126) return Buffer.concat([Buffer.of(first, length), payload])
  if (length < 65_536)
    return Buffer.concat([Buffer.of(first, 126, length >> 8, length & 255), payload])
  const header = Buffer.alloc(10)
  header[0] = first
  header[1] = 127
  header.writeBigUInt64BE(BigInt(length), 2)
  return Buffer.concat([header, payload])
}

const payloadOf = (length: number, seed = 1) =>
  Buffer.from(Array.from({ length }, (_, index) => (index * 31 + seed * 17 + (index >> 8)) & 255))

/** What a difference looks like would take seconds to be told of such long ones. */
const areEqual = (some: readonly Buffer[], others: readonly Buffer[]) =>
  some.length === others.length && some.every((bytes, index) => bytes.equals(others[index]!))

class Receiver {
  readonly messages: { bytes: Buffer; isText: boolean }[] = []
  readonly pings: string[] = []
  closes = 0
  readonly #reader = new FrameReader({
    handleMessage: (bytes, isText) => this.messages.push({ bytes, isText }),
    handlePing: (bytes) => this.pings.push(bytes.toString()),
    handleClose: () => this.closes++,
  })

  /** In pieces of that size, all of them in the same place, as a shared read buffer is. */
  receive(stream: Buffer, pieceBytes = stream.length): this {
    const shared = Buffer.alloc(pieceBytes)
    for (let at = 0; at < stream.length; at += pieceBytes) {
      const length = stream.copy(shared, 0, at, at + pieceBytes)
      this.#reader.read(shared.subarray(0, length))
      shared.fill(0xee)
    }
    return this
  }

  get payloads(): Buffer[] {
    return this.messages.map(({ bytes }) => bytes)
  }
}

describe('the load driver reads WebSocket frames', () => {
  const payloads = LENGTHS.map((length) => payloadOf(length))
  const stream = Buffer.concat(payloads.map((payload) => frame(FINAL | BINARY, payload)))

  it.each([1, 2, 3, 7, 61, 1000, 65_537, stream.length])('in pieces of %i bytes', (pieceBytes) => {
    const received = new Receiver().receive(stream, pieceBytes).payloads
    expect(areEqual(received, payloads)).toBe(true)
  })

  it('gives all receivers of the same bytes the same object, however they were cut', () => {
    const inOne = new Receiver().receive(stream).payloads
    const cut = new Receiver().receive(stream, 999).payloads
    for (const [index, bytes] of cut.entries()) expect(bytes).toBe(inOne[index])
  })

  it('tells messages apart that differ in their last byte, for receivers that take turns', () => {
    const [one, other] = [payloadOf(5000, 7), payloadOf(5000, 7)]
    other[4999]! ^= 1
    const [first, second] = [frame(FINAL | BINARY, one), frame(FINAL | BINARY, other)]
    const [a, b, c] = [new Receiver(), new Receiver(), new Receiver()]
    a.receive(first.subarray(0, 3000))
    b.receive(second.subarray(0, 2000))
    c.receive(first.subarray(0, 100))
    b.receive(second.subarray(2000))
    a.receive(first.subarray(3000))
    c.receive(first.subarray(100))
    expect(areEqual(a.payloads, [one])).toBe(true)
    expect(areEqual(b.payloads, [other])).toBe(true)
    expect(areEqual(c.payloads, [one])).toBe(true)
  })

  it('goes on with a message whose first receiver has gone away', () => {
    const payload = payloadOf(9000, 9)
    const bytes = frame(FINAL | BINARY, payload)
    new Receiver().receive(bytes.subarray(0, 4000))
    expect(areEqual(new Receiver().receive(bytes, 1500).payloads, [payload])).toBe(true)
  })

  it('puts fragments together, with a ping between them', () => {
    const receiver = new Receiver().receive(
      Buffer.concat([
        frame(TEXT, Buffer.from('one ')),
        frame(FINAL | PING, Buffer.from('there?')),
        frame(CONTINUATION, Buffer.from('message ')),
        frame(FINAL | CONTINUATION, Buffer.from('only')),
        frame(FINAL | CLOSE, Buffer.alloc(0)),
      ]),
      5,
    )
    expect(receiver.messages).toEqual([{ bytes: Buffer.from('one message only'), isText: true }])
    expect(receiver.pings).toEqual(['there?'])
    expect(receiver.closes).toBe(1)
  })

  it.each([
    ['masked', Buffer.of(FINAL | BINARY, 0x80 | 1, 0, 0, 0, 0, 0)],
    ['compressed', Buffer.of(FINAL | 0x40 | BINARY, 1, 0)],
  ])('refuses frames that are %s', (_what, bytes) => {
    expect(() => new Receiver().receive(bytes)).toThrow('a frame begins with')
  })
})

describe('the load driver writes WebSocket frames', () => {
  it.each(LENGTHS)('masked, with %i bytes', (length) => {
    const payload = payloadOf(length)
    const written = writeFrames([binaryFrame(payload)])
    const header = frame(FINAL | BINARY, payload).subarray(0, -length || undefined)
    expect(written.length).toBe(header.length + 4 + length)
    header[1]! |= 0x80
    expect(written.subarray(0, header.length)).toEqual(header)
    const mask = written.subarray(header.length, header.length + 4)
    expect(mask.some((byte) => byte !== 0)).toBe(true)
    const unmasked = written.subarray(header.length + 4).map((byte, at) => byte ^ mask[at % 4]!)
    expect(payload.equals(unmasked)).toBe(true)
  })

  it('puts several into one piece', () => {
    const frames = [textFrame(Buffer.from('a')), binaryFrame(Buffer.of(1)), pongFrame(Buffer.of(2))]
    expect(writeFrames(frames)).toEqual(Buffer.concat(frames.map((one) => writeFrames([one]))))
  })
})
