import type { Socket } from 'socket.io'
import type { EventHeader, Question, StockPackets } from './stock-packets.ts'

/** What is used here of Socket.IO's own side of a connection. Private to it; tests over real sockets depend on each. */
interface PacketDecoder {
  /** Takes the next packet: a text, or the bytes of an attachment. What it throws ends the connection. */
  add(packet: unknown): void
  /** What waits for attachments. */
  readonly reconstructor?: unknown
  /** `reviver`: what a parser of the host's makes of the values in a text. */
  readonly opts?: { readonly reviver?: unknown }
}

/** Whoever else may have a say in what comes through a socket. */
interface PacketSocket {
  readonly connected: boolean
  readonly client?: { readonly decoder?: PacketDecoder }
  /** Its middlewares. */
  readonly fns?: readonly unknown[]
  readonly _anyListeners?: readonly unknown[]
  listenerCount(event: string): number
}

/** Who reads directly on one socket. */
export interface DirectEvents {
  readonly packets: StockPackets
  /** How many middlewares of the socket, and listeners of each of its events, are ours. */
  readonly middlewares: number
  readonly listeners: number
  /** Called with each event that was read. Must not throw. */
  handle(header: EventHeader, bytes: Uint8Array): void
  handleQuestion(question: Question): void
}

interface Reading {
  readonly socket: PacketSocket
  readonly events: DirectEvents
}

/**
 * Reads events before Socket.IO's decoder does, those that `StockPackets` knows; all else goes the usual way. They are
 * handled at once, some turns of a queue before they would have been. One for each engine connection, which may have sockets in several
 * namespaces.
 *
 * The host may have middlewares, catch-all listeners or listeners of its own on a socket: while it has, everything goes
 * the usual way.
 */
export class DirectReader {
  static readonly #readers = new WeakMap<PacketDecoder, DirectReader>()

  readonly #decoder: PacketDecoder
  readonly #add: (packet: unknown) => void
  readonly #readings: Reading[] = []
  /** Whose attachment is to come next. */
  #due: { readonly reading: Reading; readonly header: EventHeader } | null = null

  /** Something went the usual way in this turn, and its listeners have not heard it yet. */
  #isPassing = false
  readonly #handlePassed = (): void => {
    this.#isPassing = false
  }

  private constructor(decoder: PacketDecoder) {
    this.#decoder = decoder
    this.#add = decoder.add.bind(decoder)
    decoder.add = (packet) => this.#read(packet)
  }

  /** From now on, until `stop`. Where Socket.IO or its parser is another one than is known here, everything goes the usual way. */
  static read(socket: Socket, events: DirectEvents): void {
    const observed = socket as unknown as PacketSocket
    const decoder = observed.client?.decoder
    if (
      decoder?.add === undefined ||
      decoder.opts?.reviver !== undefined ||
      observed.fns === undefined
    )
      return
    let reader = DirectReader.#readers.get(decoder)
    if (reader === undefined)
      DirectReader.#readers.set(decoder, (reader = new DirectReader(decoder)))
    reader.#readings.push({ socket: observed, events })
  }

  /** The socket has disconnected. */
  static stop(socket: Socket): void {
    const { decoder } = (socket as unknown as PacketSocket).client ?? {}
    const reader = decoder === undefined ? undefined : DirectReader.#readers.get(decoder)
    if (reader === undefined) return
    const readings = reader.#readings
    const at = readings.findIndex((reading) => reading.socket === (socket as unknown))
    if (at !== -1) readings.splice(at, 1)
  }

  #read(packet: unknown): void {
    if (this.#due !== null) {
      const { reading, header } = this.#due
      this.#due = null
      // As the decoder does it: this ends the connection.
      if (!(packet instanceof Uint8Array)) throw new Error('text came where an attachment was due')
      if (reading.socket.connected) reading.events.handle(header, packet)
      return
    }
    if (typeof packet === 'string' && !this.#decoder.reconstructor)
      for (const reading of this.#readings) if (this.#readFor(reading, packet)) return
    this.#passOn(packet)
  }

  #readFor(reading: Reading, packet: string): boolean {
    // Behind what has gone the usual way, which takes longer: a client that leaves and joins again, or that types behind an upload, means it in
    // this order.
    if (this.#isPassing) return false
    const { packets } = reading.events
    const header = packets.readEventHeader(packet)
    if (header !== null) {
      if (!isOursAlone(reading, header.event)) return false
      this.#due = { reading, header }
      return true
    }
    const question = packets.readQuestion(packet)
    if (question === null || !isOursAlone(reading, question.event)) return false
    if (reading.socket.connected) reading.events.handleQuestion(question)
    return true
  }

  #passOn(packet: unknown): void {
    if (!this.#isPassing) {
      this.#isPassing = true
      setImmediate(this.#handlePassed)
    }
    this.#add(packet)
  }
}

function isOursAlone({ socket, events }: Reading, event: string): boolean {
  return (
    socket.fns?.length === events.middlewares &&
    (socket._anyListeners?.length ?? 0) === 0 &&
    socket.listenerCount(event) === events.listeners
  )
}
