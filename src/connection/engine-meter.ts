import type { Clock } from '../clock.ts'
import type { EnginePacket, EngineSocket, PollResponse } from './engine-socket.ts'
import { emitterListener } from './emitter-listener.ts'
import type { Outbox } from './outbox.ts'
import { textFrames } from './shared-frames.ts'

const WEBSOCKET_OPEN = 1

/** Those with answers of this turn. One for the process: a closure and a place in Node's queue for each took longer than the answers. */
const answering: EngineMeter[] = []

/** Has the answers of this turn leave now: what closes connections in this turn would come before them. */
export function flushAnswers(): void {
  for (const meter of answering.splice(0)) meter.flushAnswers()
}

/** What a packet takes in memory beside its payload. */
const PACKET_OVERHEAD_BYTES = 64

/**
 * Counts what engine.io holds for one engine connection, for as long as that lives: a client that leaves the namespace
 * and enters it again does not begin at nothing.
 */
export class EngineMeter {
  static readonly #meters = new WeakMap<EngineSocket, EngineMeter>()
  static readonly #packetListener = emitterListener(
    (engine: EngineSocket, packet: EnginePacket) => {
      EngineMeter.#meters.get(engine)?.handlePacket(packet)
    },
  )
  static readonly #flushListener = emitterListener((engine: EngineSocket) => {
    EngineMeter.#meters.get(engine)?.handleFlush()
  })

  /** Who is charged at the moment. */
  outbox: Outbox | null = null
  #bufferedBytes = 0
  #writtenBytes = 0
  readonly #engine: EngineSocket
  /** Answers of this turn that are to leave in one write. */
  #answers: string[] | null = null
  readonly #clock: Clock
  readonly #stallMs: number
  /** Long polling: responses that have not left yet. A stranger may ask again without reading the one before. */
  #responses: Set<PollResponse> | null = null
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
    this.#clock = clock
    this.#stallMs = stallMs
    engine.on('packetCreate', EngineMeter.#packetListener)
    engine.on('flush', EngineMeter.#flushListener)
  }

  handlePacket(packet: EnginePacket): void {
    this.flushAnswers()
    const bytes = sizeOf(packet)
    this.#bufferedBytes += bytes
    this.outbox?.charge(bytes)
  }

  handleFlush(): void {
    const bytes = this.#bufferedBytes
    this.#bufferedBytes = 0
    this.#writtenBytes += bytes
    const discharge = (): void => {
      this.#writtenBytes -= bytes
      this.outbox?.discharge(bytes)
    }
    const { transport } = this.#engine
    // A poll's transport says "drain" before anything was sent. Its response has ended when it was.
    if (transport.name === 'polling' && transport.res) this.#await(transport.res, discharge)
    else transport.once('drain', discharge)
  }

  /** What the kernel has not taken yet, where the transport shows it. */
  unwrittenBytes(): number | null {
    const [response] = this.#responses ?? []
    const tcp = response?.socket ?? this.#engine.transport.socket?._socket
    return tcp?._handle?.writeQueueSize ?? null
  }

  /** Nothing is held back that a direct write would overtake, neither by engine.io nor by ws (which may compress). */
  get canWriteDirectly(): boolean {
    const { transport, writeBuffer, readyState } = this.#engine
    const { socket } = transport
    return (
      readyState === 'open' &&
      writeBuffer.length === 0 &&
      socket?.readyState === WEBSOCKET_OPEN &&
      socket._sender?._bufferedBytes === 0 &&
      socket._socket?.writable === true
    )
  }

  /**
   * Writes frames to the TCP socket at once, behind all that engine.io has written, if it holds nothing back itself. Its own way to the
   * same write costs twice as much: a packet, four events and a timer for each recipient. What the kernel takes within
   * the call, which is nearly always all of it, is never in flight and not charged.
   */
  writeDirectly(frames: readonly Buffer[]): boolean {
    this.flushAnswers()
    const tcp = this.#engine.transport.socket?._socket
    if (!tcp || !this.canWriteDirectly) return false
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

  /**
   * Sends a text packet at the end of what runs now, and before anything else that is sent meanwhile: who typed a hundred letters that went to the
   * disk together is told so in one write.
   */
  writeAnswer(packet: string): void {
    if (this.#answers === null) {
      this.#answers = [packet]
      if (answering.push(this) === 1) process.nextTick(flushAnswers)
    } else this.#answers.push(packet)
  }

  flushAnswers(): void {
    const answers = this.#answers
    if (answers === null) return
    this.#answers = null
    if (this.canWriteDirectly && this.writeDirectly([textFrames(answers)])) return
    for (const packet of answers) this.#engine.write(packet, { compress: false })
  }

  /** Ends a reader that does not read: it answers no closing handshake, and waiting for it would keep the bytes. */
  terminate(): void {
    const { socket } = this.#engine.transport
    // Closing the engine connection, not the namespace: the client comes back by itself and catches up.
    this.#engine.close(true)
    socket?.terminate?.()
    for (const response of this.#responses ?? []) response.destroy()
  }

  #await(response: PollResponse, discharge: () => void): void {
    const responses = (this.#responses ??= this.#expectResponses())
    responses.add(response)
    response.once('close', () => {
      responses.delete(response)
      discharge()
    })
  }

  #expectResponses(): Set<PollResponse> {
    const responses = new Set<PollResponse>()
    this.#engine.on('close', () => {
      // Nothing ends a response that nobody reads, when its engine connection timed out before.
      for (const response of responses)
        response.once(
          'close',
          this.#clock.setTimer(this.#stallMs, () => response.destroy()),
        )
    })
    return responses
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
