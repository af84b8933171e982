import type { Namespace, Socket } from 'socket.io'
import type { Clock } from '../clock.ts'
import type { Transport } from './connection.ts'
import { EngineMeter } from './engine-meter.ts'
import { canShareFrames, type EngineSocket } from './engine-socket.ts'
import { InboundGate } from './inbound-gate.ts'
import { Outbox, type OutboxOptions } from './outbox.ts'
import { shareFrames, type SharedFrames } from './shared-frames.ts'
import { StockPackets } from './stock-packets.ts'

/** Socket.IO's packet types of an event and an answer; a binary attachment turns them into binary ones. */
const EVENT = 2
const ACK = 3

/** The answer to a join with a cursor carries the state vector; larger attachments are states. */
const SMALL_ANSWER_BYTES = 1024

interface Packet {
  readonly type: number
  readonly id?: number
  readonly data: readonly unknown[]
}

interface Encoder {
  encode(packet: Packet & { readonly nsp: string }): (string | Buffer)[]
}

/** What all answers and events of a socket pass. Private to Socket.IO; a test over a real socket depends on it. */
interface PacketSender {
  packet?(packet: Packet, options?: unknown): void
}

/** What is sent most; the last argument are bytes, the others numbers. */
const RELAYS: ReadonlySet<string> = new Set(['update', 'awareness'])

/** Encodes each message once per namespace, for however many sockets. */
export class FrameCache {
  /** How this namespace's packets look; null with a parser of the host's own. */
  readonly stockPackets: StockPackets | null
  readonly #namespace: Namespace
  /** Of each kind. A message goes to all of its recipients before the next one of its kind is sent, or nearly: the last one is enough to remember. */
  readonly #last = new Map<string, { readonly shared: object; readonly frames: SharedFrames }>()

  constructor(namespace: Namespace) {
    this.#namespace = namespace
    const packets = new StockPackets(namespace.name)
    this.stockPackets = this.#agrees(packets) ? packets : null
  }

  of(event: string, args: readonly unknown[], shared: object): SharedFrames {
    const last = this.#last.get(event)
    if (last?.shared === shared) return last.frames
    const packets =
      this.stockPackets !== null && RELAYS.has(event)
        ? this.stockPackets.writeEvent(event, args)
        : this.encode({ type: EVENT, data: [event, ...args] })
    const frames = shareFrames(packets)
    this.#last.set(event, { shared, frames })
    return frames
  }

  /** Whether the host's encoder makes the same packets as we would. */
  #agrees(packets: StockPackets): boolean {
    const bytes = Buffer.from([1, 2, 3])
    const [event, answer] = [
      ['update', 1, 2, 3, bytes],
      { ok: true, seq: 4, entry: false },
    ] as const
    const join = { ok: true, stateVector: bytes, seq: 4, updates: [bytes, bytes], limits: { a: 1 } }
    const ours = [
      ...packets.writeEvent(event[0], event.slice(1)),
      packets.writeUpdateAnswer(5, answer),
      packets.writeAnswer(6, { ok: false, message: 'é"' }),
      ...packets.writeBinaryAnswer(7, join),
    ]
    const theirs = [
      ...this.encode({ type: EVENT, data: event }),
      ...this.encode({ type: ACK, id: 5, data: [answer] }),
      ...this.encode({ type: ACK, id: 6, data: [{ ok: false, message: 'é"' }] }),
      ...this.encode({ type: ACK, id: 7, data: [join] }),
    ]
    return (
      ours.length === theirs.length &&
      ours.every((packet, index) => {
        const other = theirs[index]
        return typeof packet === 'string'
          ? packet === other
          : other instanceof Buffer && packet.equals(other)
      })
    )
  }

  /** By the host's own encoder, so that a custom parser on its server is honoured. */
  encode(packet: Packet): (string | Buffer)[] {
    const { encoder } = this.#namespace.server as unknown as { encoder: Encoder }
    return encoder.encode({ ...packet, nsp: this.#namespace.name })
  }
}

/** The same for all connections of a namespace: one object for all of them. */
export interface TransportLimits {
  readonly clock: Clock
  readonly softBytes: number
  readonly hardBytes: number
  readonly stallMs: number
  /** `disconnect` ends the engine connection too: nobody else has a socket on it. */
  readonly endsEngine: boolean
  readonly handleLimitHit: (limit: string) => void
}

/** What an outbox must know of its connection. Methods, not closures: those and their object took 250 bytes more of each connection. */
class MeteredOutbox implements OutboxOptions {
  readonly bytesInFlight: number
  readonly #limits: TransportLimits
  readonly #meter: EngineMeter

  constructor(limits: TransportLimits, meter: EngineMeter) {
    this.#limits = limits
    this.#meter = meter
    this.bytesInFlight = meter.bytesInFlight
  }

  get clock(): Clock {
    return this.#limits.clock
  }

  get softBytes(): number {
    return this.#limits.softBytes
  }

  get hardBytes(): number {
    return this.#limits.hardBytes
  }

  get stallMs(): number {
    return this.#limits.stallMs
  }

  unwrittenBytes(): number | null {
    return this.#meter.unwrittenBytes()
  }

  onStalled(limit: 'outboxHardBytes' | 'outboxStallMs'): void {
    this.#limits.handleLimitHit(limit)
    this.#meter.terminate()
  }
}

/** A Socket.IO socket as a way out whose unsent bytes are counted, whoever sent them. */
export class SocketTransport implements Transport {
  readonly outbox: Outbox
  readonly #socket: Socket
  readonly #endsEngine: boolean
  readonly #engine: EngineSocket
  readonly #frames: FrameCache
  readonly #meter: EngineMeter
  /** Of the WebSocket that is not read from: the transport may have become another one when it is again. */
  #paused: Pick<InboundGate, 'open' | 'close'> | null = null

  constructor(socket: Socket, frames: FrameCache, limits: TransportLimits) {
    const engine = socket.conn as unknown as EngineSocket
    this.#engine = engine
    this.#socket = socket
    this.#endsEngine = limits.endsEngine
    this.#frames = frames
    const meter = EngineMeter.of(engine, limits.clock, limits.stallMs)
    this.outbox = new Outbox(new MeteredOutbox(limits, meter))
    meter.outbox = this.outbox
    this.#meter = meter
    this.#answerDirectly(socket as unknown as PacketSender)
  }

  /** Most of what a server says are answers of a few dozen bytes; they too go past engine.io where that changes nothing. */
  #answerDirectly(socket: PacketSender): void {
    const send = socket.packet?.bind(socket)
    if (send === undefined) return
    socket.packet = (packet, options) => {
      if (packet.type !== ACK || !this.#sendDirectly(packet)) send(packet, options)
    }
  }

  #sendDirectly(packet: Packet): boolean {
    if (!canShareFrames(this.#engine) || !this.#meter.canWriteDirectly) return false
    return this.#writeSmall(this.#frames.encode(packet))
  }

  #writeSmall(packets: readonly (string | Buffer)[]): boolean {
    // Large attachments would be copied into one buffer; a socket's own way writes them from where they are.
    if (packets.some(({ length }) => length > SMALL_ANSWER_BYTES)) return false
    return this.#meter.writeDirectly(shareFrames(packets).frames)
  }

  /** The same at once and with bytes, each of which is a packet of its own. A client may ask much that it does not read the answers to: each counts when it is given. */
  sendAnswerPackets(packets: readonly (string | Buffer)[]): void {
    const canWrite = canShareFrames(this.#engine) && this.#meter.canWriteDirectly
    if (canWrite && this.#writeSmall(packets)) return
    for (const packet of packets) this.#engine.write(packet, { compress: true })
  }

  /** The answer to an event that was read past Socket.IO, as its parser would have written it. */
  sendAnswer(packet: string): void {
    if (canShareFrames(this.#engine) && this.#meter.canWriteDirectly)
      this.#meter.writeAnswer(packet)
    else this.#engine.write(packet, { compress: false })
  }

  disconnect(): void {
    this.#meter.flushAnswers()
    this.#socket.disconnect(this.#endsEngine)
  }

  /**
   * Of a WebSocket only. Some messages that were read already still come: a piece of the gate, or what Node reads at once, 64 KiB, before there is one. Pongs
   * wait as well, so a pause must be shorter than the ping timeout; a pace holds no more than what was read.
   */
  setReading(isReading: boolean): void {
    if (isReading) {
      this.#paused?.open()
      this.#paused = null
      return
    }
    const { socket } = this.#engine.transport
    if (socket === undefined || this.#paused !== null) return
    this.#paused = InboundGate.of(socket) ?? pausable(socket)
    this.#paused.close()
  }

  send(event: string, args: readonly unknown[], shared: object): void {
    const { packets, frames } = this.#frames.of(event, args, shared)
    const engine = this.#engine
    if (canShareFrames(engine)) {
      if (this.#meter.writeDirectly(frames)) return
      // The text stands in for the packet in engine.io's buffer; what is written are the frames.
      const [first = ''] = packets
      engine.write(first, { compress: false, wsPreEncodedFrame: frames })
      return
    }
    for (const packet of packets) engine.write(packet, { compress: false })
  }
}

/** A WebSocket without a gate: what was read of it comes all the same. */
function pausable(
  socket: NonNullable<EngineSocket['transport']['socket']>,
): Pick<InboundGate, 'open' | 'close'> {
  return { close: () => socket.pause?.(), open: () => socket.resume?.() }
}
