import type { UpdateAnswer } from '../../protocol/index.ts'

/** Socket.IO's packet types, as the default parser writes them. */
const ACK = 3
const BINARY_EVENT = 5

/** Stands for the one attachment of an event whose last argument are bytes. */
const PLACEHOLDER = '{"_placeholder":true,"num":0}'
const END_OF_EVENT = `,${PLACEHOLDER}]`

const ZERO = 48
const NINE = 57
/** So many digits are a safe integer in any case. */
const MAX_DIGITS = 15

/** The events of clients whose last argument are bytes, and the only other one the document: nearly all that comes. */
export type DirectEvent = 'update' | 'awareness'

const BEGINNINGS: readonly (readonly [DirectEvent, string])[] = [
  ['update', '["update",'],
  ['awareness', '["awareness",'],
]

/** The header of an event of which the bytes are still to come, in the next packet. */
export interface EventHeader {
  readonly event: DirectEvent
  readonly document: number
  /** Of the answer that is waited for, or null. */
  readonly ackId: number | null
}

/**
 * The packets that nearly all traffic consists of, written and read without a detour: byte for byte what the default parser makes
 * and takes. That one looks through each packet for bytes, takes it apart, and makes an object of a text; and
 * Socket.IO hands each to its listeners by two more turns of a queue, copies of lists, and closures. All of it
 * took longer than whatever else was done about a keystroke.
 */
export class StockPackets {
  /** Of every packet of the namespace. The root's packets do not name it. */
  readonly #namespace: string
  readonly #eventStart: string

  constructor(namespace: string) {
    this.#namespace = namespace === '/' ? '' : `${namespace},`
    this.#eventStart = `${BINARY_EVENT}1-${this.#namespace}`
  }

  /** `args`: numbers, and bytes as the last one. */
  writeEvent(event: string, args: readonly unknown[]): (string | Buffer)[] {
    const bytes = args.at(-1) as Uint8Array
    const numbers = args.slice(0, -1).join(',')
    return [
      `${this.#eventStart}["${event}",${numbers},${PLACEHOLDER}]`,
      Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    ]
  }

  writeAnswer(ackId: number, answer: unknown): string {
    return `${ACK}${this.#namespace}${ackId}[${JSON.stringify(answer)}]`
  }

  writeUpdateAnswer(ackId: number, { seq, entry }: Omit<UpdateAnswer, 'ok'>): string {
    return `${ACK}${this.#namespace}${ackId}[{"ok":true,"seq":${seq},"entry":${entry}}]`
  }

  /** Null for whatever is not exactly an event of these as a client of ours writes it: the parser may know what it is. */
  readEventHeader(packet: string): EventHeader | null {
    if (!packet.startsWith(this.#eventStart) || !packet.endsWith(END_OF_EVENT)) return null
    const idAt = this.#eventStart.length
    const dataAt = endOfDigits(packet, idAt)
    for (const [event, beginning] of BEGINNINGS) {
      if (!packet.startsWith(beginning, dataAt)) continue
      const documentAt = dataAt + beginning.length
      const end = packet.length - END_OF_EVENT.length
      const document = readNumber(packet, documentAt, end)
      const ackId = dataAt === idAt ? null : readNumber(packet, idAt, dataAt)
      return document === -1 || ackId === -1 ? null : { event, document, ackId }
    }
    return null
  }
}

function endOfDigits(text: string, from: number): number {
  let at = from
  for (let code; (code = text.charCodeAt(at)) >= ZERO && code <= NINE;) at++
  return at
}

/** The number that is all of the text between, as JSON writes it; -1 when that is none, or not surely a safe integer. */
function readNumber(text: string, from: number, to: number): number {
  const digits = to - from
  if (digits < 1 || digits > MAX_DIGITS) return -1
  if (digits > 1 && text.charCodeAt(from) === ZERO) return -1
  let value = 0
  for (let at = from; at < to; at++) {
    const digit = text.charCodeAt(at) - ZERO
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
  }
  return value
}
