import type { Socket } from 'socket.io'
import type { Refusal } from '../../protocol/index.ts'
import { DirectReader } from './direct-reader.ts'
import type { Accepted } from './gateway.ts'
import type { SocketTransport } from './socket-transport.ts'
import type { StockPackets } from './stock-packets.ts'
import type { UpdateReply } from './update-receipt.ts'

/** Those of `limitArguments`; the gateway listens once to each event. */
const OUR_MIDDLEWARES = 1
const OUR_LISTENERS = 1

/** Updates and carets of a socket go to its peer, and their answers back, past Socket.IO. */
export function receiveDirectly(
  socket: Socket,
  transport: SocketTransport,
  packets: StockPackets,
  peer: Accepted,
): void {
  DirectReader.read(socket, {
    packets,
    middlewares: OUR_MIDDLEWARES,
    listeners: OUR_LISTENERS,
    handle({ event, document, ackId }, bytes) {
      if (event === 'update') {
        peer.receiveUpdate(document, bytes, new DirectReply(transport, packets, ackId))
        return
      }
      const answer =
        ackId === null
          ? null
          : (value: unknown) => transport.sendAnswer(packets.writeAnswer(ackId, value))
      peer.receive(event, [document, bytes], answer)
    },
  })
}

class DirectReply implements UpdateReply {
  readonly #transport: SocketTransport
  readonly #packets: StockPackets
  readonly #ackId: number | null

  constructor(transport: SocketTransport, packets: StockPackets, ackId: number | null) {
    this.#transport = transport
    this.#packets = packets
    this.#ackId = ackId
  }

  handleAccepted(seq: number, entry: boolean): void {
    if (this.#ackId === null) return
    this.#transport.sendAnswer(this.#packets.writeUpdateAnswer(this.#ackId, { seq, entry }))
  }

  handleRefused(refusal: Refusal): void {
    if (this.#ackId === null) return
    this.#transport.sendAnswer(this.#packets.writeAnswer(this.#ackId, refusal))
  }
}
