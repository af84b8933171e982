import { EventEmitter } from 'node:events'
import { createServer } from 'node:http'
import type { Namespace, Socket } from 'socket.io'
import { Server } from 'socket.io'
import { describe, expect, test } from 'vitest'
import { shareFrames } from '../../src/connection/shared-frames.ts'
import { FrameCache, SocketTransport } from '../../src/connection/socket-transport.ts'
import { ManualClock } from '../support/manual-clock.ts'

interface Frame {
  readonly opcode: number
  readonly payload: Buffer
}

/** Reads unmasked WebSocket frames as RFC 6455 §5.2 says. */
function readFrames(bytes: Buffer): Frame[] {
  const frames: Frame[] = []
  for (let at = 0; at < bytes.length;) {
    expect(bytes[at]! & 0x80).toBe(0x80)
    const opcode = bytes[at]! & 0x0f
    let length = bytes[at + 1]!
    at += 2
    if (length === 126) {
      length = bytes.readUInt16BE(at)
      at += 2
    } else if (length === 127) {
      length = Number(bytes.readBigUInt64BE(at))
      at += 8
    }
    frames.push({ opcode, payload: bytes.subarray(at, at + length) })
    at += length
  }
  return frames
}

describe('shared frames', () => {
  test.each([0, 1, 125, 126, 4096, 4097, 65_535, 65_536, 300_000])(
    '[RELAY4] an event with %i bytes is the two frames that the stock parser would have sent, in at most two buffers',
    (length) => {
      const attachment = Buffer.alloc(length, 7)
      const { frames, bytes } = shareFrames([
        '51-["update",{"_placeholder":true,"num":0}]',
        attachment,
      ])
      const written = Buffer.concat([...frames])
      expect(frames.length).toBeLessThanOrEqual(2)
      expect(bytes).toBe(written.length)
      expect(readFrames(written)).toEqual([
        { opcode: 1, payload: Buffer.from('451-["update",{"_placeholder":true,"num":0}]') },
        { opcode: 2, payload: attachment },
      ])
    },
  )

  test('[RELAY4] [OUT1] frames go to the TCP socket at once, unless engine.io holds something back; what stays there is charged', () => {
    const namespace: Namespace = new Server(createServer()).of('/y-rooms')
    const callbacks: (() => void)[] = []
    const direct: Buffer[] = []
    const tcp = {
      writable: true,
      writableLength: 0,
      write: (bytes: Buffer, written: () => void) => {
        direct.push(bytes)
        callbacks.push(written)
      },
    }
    const sender = { sendFrame: () => undefined, _bufferedBytes: 0 }
    const socket = { _sender: sender, _socket: tcp, readyState: 1 }
    const queued: unknown[] = []
    const engine = Object.assign(new EventEmitter(), {
      transport: { name: 'websocket', socket },
      readyState: 'open',
      writeBuffer: [] as unknown[],
      write: (data: unknown) => queued.push(data),
    })
    const transport = new SocketTransport(
      { conn: engine } as unknown as Socket,
      new FrameCache(namespace),
      {
        clock: new ManualClock(),
        softBytes: 1e6,
        hardBytes: 1e7,
        stallMs: 30_000,
        endsEngine: true,
        handleLimitHit: () => undefined,
      },
    )
    const message = { update: new Uint8Array([1, 2, 3]) }
    const send = (): void => transport.send('update', [7, 1, 1, message.update], message)

    send()
    expect([direct.length, queued.length, transport.outbox.bytesInFlight]).toEqual([1, 0, 0])
    tcp.writableLength = 60
    send()
    const charged = transport.outbox.bytesInFlight
    expect(charged).toBeGreaterThan(direct[1]!.length)
    // Node reports writes in their order: the first was never charged.
    callbacks[0]!()
    expect(transport.outbox.bytesInFlight).toBe(charged)
    callbacks[1]!()
    expect(transport.outbox.bytesInFlight).toBe(0)

    const reasons = [
      [engine, { writeBuffer: [{}] }],
      [engine, { readyState: 'closing' }],
      [socket, { readyState: 2 }],
      [sender, { _bufferedBytes: 1 }],
      [tcp, { writable: false }],
    ] as const
    for (const [target, reason] of reasons) {
      const before = { ...target }
      Object.assign(target, reason)
      send()
      Object.assign(target, before)
    }
    expect([direct.length, queued.length]).toEqual([2, reasons.length])
  })

  test('[RELAY4] one message is encoded once and the same buffers are written to every recipient', () => {
    const namespace: Namespace = new Server(createServer()).of('/y-rooms')
    // A parser of the host's own, to which nothing but it can write.
    let encodings = 0
    const { encoder } = namespace.server as unknown as {
      encoder: { encode: (packet: object) => (string | Buffer)[] }
    }
    const encode = encoder.encode.bind(encoder)
    encoder.encode = (packet) => {
      encodings++
      const [text, ...attachments] = encode(packet)
      return [`${String(text)} `, ...attachments]
    }
    const cache = new FrameCache(namespace)
    expect(cache.stockPackets).toBeNull()
    encodings = 0
    const written: { data: unknown; options: { wsPreEncodedFrame?: Buffer[] } }[] = []
    const recipient = (transport: object, protocol = 4): SocketTransport =>
      new SocketTransport(
        {
          conn: Object.assign(new EventEmitter(), {
            protocol,
            transport,
            readyState: 'open',
            writeBuffer: [],
            write: (data: unknown, options: object) => written.push({ data, options }),
          }),
        } as unknown as Socket,
        cache,
        {
          clock: new ManualClock(),
          softBytes: 1e6,
          hardBytes: 1e7,
          stallMs: 30_000,
          endsEngine: true,
          handleLimitHit: () => undefined,
        },
      )
    const webSocket = { name: 'websocket', socket: { _sender: { sendFrame: () => undefined } } }
    const message = { update: new Uint8Array([1, 2, 3]) }
    const send = (to: SocketTransport): void =>
      to.send('update', [7, 1, 1, message.update], message)
    for (let index = 0; index < 3; index++) send(recipient(webSocket))
    expect(encodings).toBe(1)
    expect(written).toHaveLength(3)
    expect(written[0]!.options.wsPreEncodedFrame?.toString()).toContain('"num":0}] ')
    for (const { options } of written)
      expect(options.wsPreEncodedFrame).toBe(written[0]!.options.wsPreEncodedFrame)
    // Long polling, a WebSocket that compresses, and a client of Engine.IO 3, which expects a type before bytes, get the packets as the parser made them.
    for (const other of [
      recipient({ name: 'polling' }),
      recipient({ ...webSocket, perMessageDeflate: {} }),
      recipient(webSocket, 3),
    ]) {
      written.length = 0
      send(other)
      expect(written.map(({ options }) => options.wsPreEncodedFrame)).toEqual([
        undefined,
        undefined,
      ])
      expect(written[0]!.data).toContain('"update",7,1,1')
    }
    expect(encodings).toBe(1)
  })
})
