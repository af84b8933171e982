import type { Namespace, Socket } from 'socket.io'
import type { Clock } from '../clock.ts'
import type { Transport } from './connection.ts'
import { Outbox } from './outbox.ts'
import { shareFrames, type SharedFrames } from './shared-frames.ts'

/** Socket.IO's packet type of an event; a binary attachment turns it into a binary event. */
const EVENT = 2

interface Encoder {
  encode(packet: { type: number; nsp: string; data: readonly unknown[] }): (string | Buffer)[]
}

/** What of engine.io's socket is used here; the members exist in 6.5 and 6.6 and their use is tested by counting frames. */
interface EngineSocket {
  readonly transport: {
    readonly name: string
    readonly perMessageDeflate?: unknown
    readonly socket?: { readonly _sender?: { readonly sendFrame?: unknown } }
  }
  write(
    data: string | Buffer,
    options: { compress: boolean; wsPreEncodedFrame?: readonly Buffer[] },
    onFlushed?: () => void,
  ): void
}

/** Encodes each message once per namespace, for however many sockets. */
export class FrameCache {
  readonly #namespace: Namespace
  readonly #frames = new WeakMap<object, SharedFrames>()

  constructor(namespace: Namespace) {
    this.#namespace = namespace
  }

  of(event: string, args: readonly unknown[], shared: object): SharedFrames {
    let frames = this.#frames.get(shared)
    if (frames === undefined) {
      // The host's own encoder, so that a custom parser on its server is honoured.
      const { encoder } = this.#namespace.server as unknown as { encoder: Encoder }
      const nsp = this.#namespace.name
      frames = shareFrames(encoder.encode({ type: EVENT, nsp, data: [event, ...args] }))
      this.#frames.set(shared, frames)
    }
    return frames
  }
}

/** A Socket.IO socket as a way out whose unsent bytes are counted. */
export class SocketTransport implements Transport {
  readonly outbox: Outbox
  readonly #socket: Socket
  readonly #frames: FrameCache

  constructor(
    socket: Socket,
    frames: FrameCache,
    limits: { clock: Clock; softBytes: number; hardBytes: number; stallMs: number },
  ) {
    this.#socket = socket
    this.#frames = frames
    this.outbox = new Outbox({
      ...limits,
      // Closing the engine connection, not the namespace: the client comes back by itself and catches up.
      onStalled: () => socket.conn.close(true),
    })
  }

  send(event: string, args: readonly unknown[], shared: object): void {
    const { packets, frames, bytes } = this.#frames.of(event, args, shared)
    const engine = this.#socket.conn as unknown as EngineSocket
    const onFlushed = this.outbox.charge(bytes)
    if (canShareFrames(engine.transport)) {
      // The text stands in for the packet in engine.io's buffer; what is written are the frames.
      const [first = ''] = packets
      engine.write(first, { compress: false, wsPreEncodedFrame: frames }, onFlushed)
      return
    }
    for (const [position, packet] of packets.entries())
      if (position === packets.length - 1) engine.write(packet, { compress: false }, onFlushed)
      else engine.write(packet, { compress: false })
  }
}

function canShareFrames(transport: EngineSocket['transport']): boolean {
  return (
    transport.name === 'websocket' &&
    !transport.perMessageDeflate &&
    typeof transport.socket?._sender?.sendFrame === 'function'
  )
}
