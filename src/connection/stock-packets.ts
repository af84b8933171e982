import type { UpdateAnswer } from '../../protocol/index.ts'

/** Socket.IO's packet types, as the default parser writes them. */
const ACK = 3
const EVENT = 2
const BINARY_EVENT = 5
const BINARY_ACK = 6

/** More than any of these questions has. */
const MAX_ARGUMENTS = 4

/** Stands for the one attachment of an event whose last argument are bytes. */
const PLACEHOLDER = '{"_placeholder":true,"num":0}'
const END_OF_EVENT = `,${PLACEHOLDER}]`

const ZERO = 48
const NINE = 57
/** So many digits are a safe integer in any case. */
const MAX_DIGITS = 15

/** The events of clients whose last argument are bytes, and the only other one the document: nearly all that comes. */
type DirectEvent = 'update' | 'awareness'

const BEGINNINGS: readonly (readonly [DirectEvent, string])[] = [
  ['update', '["update",'],
  ['awareness', '["awareness",'],
]

/** What a client asks without bytes, and mostly once. */
type DirectQuestion = 'join' | 'pull' | 'leave'

const QUESTIONS: readonly (readonly [DirectQuestion, string])[] = [
  ['join', '["join",'],
  ['pull', '["pull",'],
  ['leave', '["leave",'],
]

/** A whole event, without bytes. */
export interface Question {
  readonly event: DirectQuestion
  readonly args: readonly unknown[]
  readonly ackId: number | null
}

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
  readonly #questionStart: string

  constructor(namespace: string) {
    this.#namespace = namespace === '/' ? '' : `${namespace},`
    this.#eventStart = `${BINARY_EVENT}1-${this.#namespace}`
    this.#questionStart = `${EVENT}${this.#namespace}`
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

  /** `answer`: no bytes but its own values, and those of its lists. */
  writeBinaryAnswer(ackId: number, answer: object): (string | Buffer)[] {
    const attachments: Buffer[] = []
    const replaced: Record<string, unknown> = {}
    for (const [key, value] of Object.entries(answer) as [string, unknown][])
      replaced[key] = Array.isArray(value)
        ? value.map((item) => withoutBytes(item, attachments))
        : withoutBytes(value, attachments)
    if (attachments.length === 0) return [this.writeAnswer(ackId, answer)]
    const start = `${BINARY_ACK}${attachments.length}-${this.#namespace}${ackId}`
    return [`${start}[${JSON.stringify(replaced)}]`, ...attachments]
  }

  writeUpdateAnswer(ackId: number, { seq, entry }: Omit<UpdateAnswer, 'ok'>): string {
    return `${ACK}${this.#namespace}${ackId}[{"ok":true,"seq":${seq},"entry":${entry}}]`
  }

  /** Null for whatever is not exactly one of these questions as a client of ours asks it. */
  readQuestion(packet: string): Question | null {
    if (!packet.startsWith(this.#questionStart)) return null
    const idAt = this.#questionStart.length
    const dataAt = endOfDigits(packet, idAt)
    for (const [event, beginning] of QUESTIONS) {
      if (!packet.startsWith(beginning, dataAt)) continue
      const ackId = dataAt === idAt ? null : readNumber(packet, idAt, dataAt)
      const args = ackId === -1 ? null : parseArguments(packet.slice(dataAt))
      return args === null ? null : { event, args, ackId }
    }
    return null
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

function withoutBytes(value: unknown, attachments: Buffer[]): unknown {
  if (!(value instanceof Uint8Array)) return value
  attachments.push(Buffer.from(value.buffer, value.byteOffset, value.byteLength))
  return { _placeholder: true, num: attachments.length - 1 }
}

/** What follows the name of an event; null where the parser has something to say about it. */
function parseArguments(text: string): readonly unknown[] | null {
  try {
    const [, ...args] = JSON.parse(text) as unknown[]
    return args.length > MAX_ARGUMENTS ? null : args
  } catch {
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
