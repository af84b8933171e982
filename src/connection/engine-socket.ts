/** What is used here of engine.io's socket; the members exist in 6.5 and 6.6, and tests over real sockets depend on each. */
export interface EngineSocket {
  /** The version of Engine.IO's protocol that the client speaks. */
  readonly protocol?: number
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

export interface EnginePacket {
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
    readonly _receiver?: WebSocketReceiver
    terminate?(): void
    pause?(): void
    resume?(): void
  }
  /** Long polling: the response that the next batch goes into. */
  readonly res?: PollResponse | null
  /** WebSocket: the batch has been handed to the operating system. */
  once(event: 'drain', listener: () => void): unknown
}

/** The stream of ws that makes messages of bytes. */
export interface WebSocketReceiver {
  _write?(chunk: Buffer, encoding: string, written: (error?: Error | null) => void): void
}

/** What node:net keeps of a socket; libuv counts what the kernel has not taken yet. */
interface TcpSocket {
  readonly writable: boolean
  /** Bytes that were written and have not all gone to the kernel. */
  readonly writableLength: number
  write(bytes: Uint8Array, written: () => void): boolean
  once(event: 'close', listener: () => void): unknown
  readonly _handle?: { readonly writeQueueSize?: number } | null
}

export interface PollResponse {
  readonly socket: TcpSocket | null
  once(event: 'close', listener: () => void): unknown
  destroy(): unknown
}

export function canShareFrames({ protocol, transport }: EngineSocket): boolean {
  return (
    // Clients of the third version, where the host lets them in, expect the type before the bytes of a binary message.
    protocol !== 3 &&
    transport.name === 'websocket' &&
    !transport.perMessageDeflate &&
    typeof transport.socket?._sender?.sendFrame === 'function'
  )
}
