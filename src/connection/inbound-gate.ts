import type { EngineSocket, WebSocketReceiver } from './engine-socket.ts'

type WebSocket = NonNullable<EngineSocket['transport']['socket']>
type Written = (error?: Error | null) => void

/** What is behind the message that closes the gate, in the same piece, still comes: some twenty keystrokes. Smaller pieces cut more frames in two. */
const PIECE_BYTES = 2048

/**
 * Lets bytes that were read from a WebSocket's connection wait before they become messages. Node reads 64 KiB at a time, seven
 * hundred keystrokes; as messages that wait each is a dozen objects, which live long enough to be moved to V8's old generation.
 * Everything stays in the order in which it came, and the stream's own back pressure stops the reading.
 */
export class InboundGate {
  static readonly #gates = new WeakMap<WebSocketReceiver, InboundGate>()

  readonly #receiver: WebSocketReceiver
  readonly #write: NonNullable<WebSocketReceiver['_write']>
  #isOpen = true
  /** Its connection has ended: what waits is all that comes. */
  #isEnded = false
  #isWriting = false
  /** What waits, and who is told when it was taken. */
  #chunk: Buffer | null = null
  #written: Written | null = null

  /** Null where the WebSocket is another one than is known here. */
  static of({ _receiver: receiver, _socket: tcp }: WebSocket): InboundGate | null {
    const write = receiver?._write
    if (receiver === undefined || write === undefined || !tcp) return null
    let gate = InboundGate.#gates.get(receiver)
    if (gate === undefined) {
      gate = new InboundGate(receiver, write)
      const ended = gate
      tcp.once('close', () => ended.#end())
      InboundGate.#gates.set(receiver, gate)
    }
    return gate
  }

  private constructor(
    receiver: WebSocketReceiver,
    write: NonNullable<WebSocketReceiver['_write']>,
  ) {
    this.#receiver = receiver
    this.#write = write
    receiver._write = (chunk, _encoding, written) => {
      this.#chunk = chunk
      this.#written = written
      this.#go()
    }
  }

  /** The message that comes now is the last one of its piece. */
  close(): void {
    this.#isOpen = false
  }

  /** Goes on when what runs now has ended: messages that were held may only be on their way to their turn. */
  open(): void {
    if (this.#isOpen) return
    this.#isOpen = true
    process.nextTick(() => this.#go())
  }

  #end(): void {
    this.#isEnded = true
    this.#go()
  }

  #go(): void {
    // A compressed message is read later, and so is the piece behind it.
    while (this.#chunk !== null && !this.#isWriting && (this.#isOpen || this.#isEnded)) {
      const chunk = this.#chunk
      this.#chunk = chunk.length > PIECE_BYTES ? chunk.subarray(PIECE_BYTES) : null
      this.#isWriting = true
      let isSync = true
      this.#write.call(this.#receiver, chunk.subarray(0, PIECE_BYTES), 'buffer', (error) => {
        this.#isWriting = false
        if (error) this.#chunk = null
        if (this.#chunk === null) this.#tell(error)
        else if (!isSync) this.#go()
      })
      isSync = false
    }
  }

  #tell(error?: Error | null): void {
    const written = this.#written
    this.#written = null
    written?.(error)
  }
}
