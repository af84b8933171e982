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

/** What is used here of engine.io's socket; the members exist in 6.5 and 6.6, and tests over real sockets depend on each. */
interface EngineSocket {
  readonly transport: EngineTransport
  readonly readyState: string
  /** What was not handed to the transport yet. */
  readonly writeBuffer: readonly unknown[]
  write(
    data: string | Buffer,
    options: { compress: boolean; wsPreEncodedFrame?: readonly Buffer[] },
  ): void
  /** A packet is put into the buffer. Every packet passes here: answers, relays, pings, other namespaces' events. */
  on(event: 'packetCreate', listener: (packet: EnginePacket) => void): void
  /** All that is in the buffer goes to the transport, which has nothing else under way. */
  on(event: 'flush' | 'close', listener: () => void): void
  close(discard: boolean): void
}

interface EnginePacket {
  readonly data?: string | Uint8Array
  readonly options?: { readonly wsPreEncodedFrame?: readonly Buffer[] }
}

interface EngineTransport {
  readonly name: string
  readonly perMessageDeflate?: unknown
  readonly socket?: {
    readonly readyState: number
    readonly _sender?: { readonly sendFrame?: unknown; readonly _bufferedBytes?: number }
    readonly _socket?: TcpSocket | null
    terminate?(): void
  }
  /** Long polling: the response that the next batch goes into. */
  readonly res?: PollResponse | null
  /** WebSocket: the batch has been handed to the operating system. */
  once(event: 'drain', listener: () => void): unknown
}

/** What node:net keeps of a socket; libuv counts what the kernel has not taken yet. */
interface TcpSocket {
  readonly writable: boolean
  /** Bytes that were written and have not all gone to the kernel. */
  readonly writableLength: number
  write(bytes: Uint8Array, written: () => void): boolean
  readonly _handle?: { readonly writeQueueSize?: number } | null
}

interface PollResponse {
  readonly socket: TcpSocket | null
  once(event: 'close', listener: () => void): unknown
  destroy(): unknown
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

const WEBSOCKET_OPEN = 1

/** What a packet takes in memory beside its payload. */
const PACKET_OVERHEAD_BYTES = 64

/**
 * Counts what engine.io holds for one engine connection, for as long as that lives: a client that leaves the namespace
 * and enters it again does not begin at nothing.
 */
class EngineMeter {
  static readonly #meters = new WeakMap<EngineSocket, EngineMeter>()

  /** Who is charged at the moment. */
  outbox: Outbox | null = null
  #bufferedBytes = 0
  #writtenBytes = 0
  readonly #engine: EngineSocket
  /** Long polling: responses that have not left yet. A stranger may ask again without reading the one before. */
  readonly #responses = new Set<PollResponse>()
  /** The charge of each write past engine.io that Node has not reported as done. */
  readonly #direct: number[] = []
  readonly #handleDirectWritten = (): void => {
    const bytes = this.#direct.shift() ?? 0
    if (bytes === 0) return
    this.#writtenBytes -= bytes
    this.outbox?.discharge(bytes)
  }

  static of(engine: EngineSocket, clock: Clock, stallMs: number): EngineMeter {
    let meter = EngineMeter.#meters.get(engine)
    if (meter === undefined) {
      meter = new EngineMeter(engine, clock, stallMs)
      EngineMeter.#meters.set(engine, meter)
    }
    return meter
  }

  private constructor(engine: EngineSocket, clock: Clock, stallMs: number) {
    this.#engine = engine
    engine.on('packetCreate', (packet) => {
      const bytes = sizeOf(packet)
      this.#bufferedBytes += bytes
      this.outbox?.charge(bytes)
    })
    engine.on('flush', () => {
      const bytes = this.#bufferedBytes
      this.#bufferedBytes = 0
      this.#writtenBytes += bytes
      const discharge = (): void => {
        this.#writtenBytes -= bytes
        this.outbox?.discharge(bytes)
      }
      const { transport } = engine
      // A poll's transport says "drain" before anything was sent. Its response has ended when it was.
      if (transport.name === 'polling' && transport.res) this.#await(transport.res, discharge)
      else transport.once('drain', discharge)
    })
    engine.on('close', () => {
      // Nothing ends a response that nobody reads, when its engine connection timed out before.
      for (const response of this.#responses)
        response.once(
          'close',
          clock.setTimer(stallMs, () => response.destroy()),
        )
    })
  }

  /** What the kernel has not taken yet, where the transport shows it. */
  unwrittenBytes(): number | null {
    const [response] = this.#responses
    const tcp = response?.socket ?? this.#engine.transport.socket?._socket
    return tcp?._handle?.writeQueueSize ?? null
  }

  /**
   * Writes frames to the TCP socket at once, behind all that engine.io has written, if it holds nothing back itself. Its own way to the
   * same write costs twice as much: a packet, four events and a timer for each recipient. What the kernel takes within
   * the call, which is nearly always all of it, is never in flight and not charged.
   */
  writeDirectly(frames: readonly Buffer[]): boolean {
    const { transport, writeBuffer, readyState } = this.#engine
    const tcp = transport.socket?._socket
    if (readyState !== 'open' || writeBuffer.length > 0 || !tcp?.writable) return false
    // What ws holds back for compressing would be overtaken.
    if (
      transport.socket?.readyState !== WEBSOCKET_OPEN ||
      transport.socket._sender?._bufferedBytes !== 0
    )
      return false
    for (const frame of frames) {
      const position = this.#direct.push(0) - 1
      tcp.write(frame, this.#handleDirectWritten)
      if (tcp.writableLength === 0) continue
      const bytes = frame.length + PACKET_OVERHEAD_BYTES
      this.#direct[position] = bytes
      this.#writtenBytes += bytes
      this.outbox?.charge(bytes)
    }
    return true
  }

  /** Ends a reader that does not read: it answers no closing handshake, and waiting for it would keep the bytes. */
  terminate(): void {
    const { socket } = this.#engine.transport
    // Closing the engine connection, not the namespace: the client comes back by itself and catches up.
    this.#engine.close(true)
    socket?.terminate?.()
    for (const response of this.#responses) response.destroy()
  }

  #await(response: PollResponse, discharge: () => void): void {
    this.#responses.add(response)
    response.once('close', () => {
      this.#responses.delete(response)
      discharge()
    })
  }

  get bytesInFlight(): number {
    return this.#bufferedBytes + this.#writtenBytes
  }
}

function sizeOf({ data, options }: EnginePacket): number {
  const frames = options?.wsPreEncodedFrame
  if (frames !== undefined)
    return frames.reduce((sum, frame) => sum + frame.length, PACKET_OVERHEAD_BYTES)
  const length = typeof data === 'string' ? Buffer.byteLength(data) : (data?.byteLength ?? 0)
  return length + PACKET_OVERHEAD_BYTES
}

/** A Socket.IO socket as a way out whose unsent bytes are counted, whoever sent them. */
export class SocketTransport implements Transport {
  readonly outbox: Outbox
  readonly #engine: EngineSocket
  readonly #frames: FrameCache
  readonly #meter: EngineMeter

  constructor(
    socket: Socket,
    frames: FrameCache,
    limits: { clock: Clock; softBytes: number; hardBytes: number; stallMs: number },
  ) {
    const engine = socket.conn as unknown as EngineSocket
    this.#engine = engine
    this.#frames = frames
    const meter = EngineMeter.of(engine, limits.clock, limits.stallMs)
    this.outbox = new Outbox({
      ...limits,
      bytesInFlight: meter.bytesInFlight,
      unwrittenBytes: () => meter.unwrittenBytes(),
      onStalled: () => meter.terminate(),
    })
    meter.outbox = this.outbox
    this.#meter = meter
  }

  send(event: string, args: readonly unknown[], shared: object): void {
    const { packets, frames } = this.#frames.of(event, args, shared)
    const engine = this.#engine
    if (canShareFrames(engine.transport)) {
      if (this.#meter.writeDirectly(frames)) return
      // The text stands in for the packet in engine.io's buffer; what is written are the frames.
      const [first = ''] = packets
      engine.write(first, { compress: false, wsPreEncodedFrame: frames })
      return
    }
    for (const packet of packets) engine.write(packet, { compress: false })
  }
}

function canShareFrames(transport: EngineTransport): boolean {
  return (
    transport.name === 'websocket' &&
    !transport.perMessageDeflate &&
    typeof transport.socket?._sender?.sendFrame === 'function'
  )
}
