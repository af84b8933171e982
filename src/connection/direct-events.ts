import type { Refusal } from '../../protocol/index.ts'
import type { DirectEvents } from './direct-reader.ts'
import type { Accepted } from './accepted-connection.ts'
import type { SocketTransport } from './socket-transport.ts'
import type { EventHeader, Question, StockPackets } from './stock-packets.ts'
import type { UpdateReply } from './update-receipt.ts'

/** Those of `limitArguments`; the gateway listens once to each event. */
const OUR_MIDDLEWARES = 1
const OUR_LISTENERS = 1

/** Nearly all that a client sends goes to its peer, and the answers back, past Socket.IO. */
export class PeerEvents implements DirectEvents {
  readonly packets: StockPackets
  readonly #transport: SocketTransport
  readonly #peer: Accepted

  constructor(transport: SocketTransport, packets: StockPackets, peer: Accepted) {
    this.packets = packets
    this.#transport = transport
    this.#peer = peer
  }

  get middlewares(): number {
    return OUR_MIDDLEWARES
  }

  get listeners(): number {
    return OUR_LISTENERS
  }

  handle({ event, document, ackId }: EventHeader, bytes: Uint8Array): void {
    if (event === 'update')
      this.#peer.receiveUpdate(
        document,
        bytes,
        new DirectReply(this.#transport, this.packets, ackId),
      )
    else this.#peer.receive(event, [document, bytes], this.#answerOf(ackId))
  }

  handleQuestion({ event, args, ackId }: Question): void {
    const answer = (value: unknown): void =>
      this.#transport.sendAnswerPackets(
        this.packets.writeBinaryAnswer(ackId as number, value as object),
      )
    this.#peer.receive(event, args, ackId === null ? null : answer)
  }

  #answerOf(ackId: number | null): ((value: unknown) => void) | null {
    if (ackId === null) return null
    return (value) => this.#transport.sendAnswer(this.packets.writeAnswer(ackId, value))
  }
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
