import {
  type AccessChange,
  isErrorCode,
  isSequenceNumber,
  type Closed,
  type Refusal,
  type Retry,
} from '../protocol/index.ts'
import type { NoAnswer } from './provider-error.ts'
import type { Outcome, RequestName } from './wire.ts'

const RETRIES: ReadonlySet<unknown> = new Set<Retry>(['never', 'backoff', 'reauth', 'resync'])

export function noAnswer(message: string): NoAnswer {
  return { ok: false, code: 'no-answer', retry: 'backoff', message }
}

/** Bytes as Socket.IO hands them over: an ArrayBuffer in browsers, a Buffer in Node. */
export function readBytes(value: unknown): Uint8Array | null {
  if (value instanceof ArrayBuffer) return new Uint8Array(value)
  if (ArrayBuffer.isView(value))
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
  return null
}

/** The body of a refusal or of a `closed` event, or null if it is neither. */
export function readClosed(value: unknown): Closed | null {
  if (!isRecord(value) || typeof value['code'] !== 'string' || !RETRIES.has(value['retry']))
    return null
  const message = typeof value['message'] === 'string' ? value['message'] : value['code']
  // A newer server may know more codes; its retry class says what to do all the same.
  const code = isErrorCode(value['code']) ? value['code'] : (value['code'] as Closed['code'])
  return { code, retry: value['retry'] as Retry, message }
}

/** The body of an `access` event, or null if it is none. A reason that is not known yet is no reason to ignore it. */
export function readAccess(value: unknown): AccessChange | null {
  if (!isRecord(value)) return null
  const { access, code } = value
  if ((access !== 'read' && access !== 'write') || typeof code !== 'string') return null
  return { access, code: code as AccessChange['code'] }
}

/** An answer from the network, checked: nothing behind this line meets a shape that the types deny. */
export function readAnswer<Name extends RequestName>(name: Name, value: unknown): Outcome<Name> {
  const answer = normalizeBytes(value)
  if (isRecord(answer)) {
    const refused = answer['ok'] === false ? readClosed(answer) : null
    if (refused !== null) return { ok: false, ...refused } satisfies Refusal
    if (answer['ok'] === true && SHAPES[name](answer)) return answer as unknown as Outcome<Name>
  }
  return noAnswer(`the server's answer to ${name} is not readable`)
}

type Fields = Readonly<Record<string, unknown>>

const SHAPES: Readonly<Record<RequestName, (answer: Fields) => boolean>> = {
  join: (answer) =>
    isSequenceNumber(answer['document']) &&
    typeof answer['epoch'] === 'string' &&
    isSequenceNumber(answer['seq']) &&
    isSequenceNumber(answer['head']) &&
    (answer['access'] === 'read' || answer['access'] === 'write') &&
    answer['stateVector'] instanceof Uint8Array &&
    isUpdates(answer['updates']) &&
    (answer['snapshot'] === undefined || isCounts(answer['snapshot'], SNAPSHOT_FIELDS)) &&
    (answer['awareness'] === undefined || answer['awareness'] instanceof Uint8Array) &&
    isCounts(answer['limits'], LIMIT_FIELDS),
  update: (answer) => isSequenceNumber(answer['seq']) && typeof answer['entry'] === 'boolean',
  chunk: (answer) => isSequenceNumber(answer['received']),
  check: (answer) =>
    answer['result'] === 'same' ||
    answer['result'] === 'moved' ||
    (answer['result'] === 'different' &&
      answer['stateVector'] instanceof Uint8Array &&
      answer['deletions'] instanceof Uint8Array),
  pull: (answer) =>
    isSequenceNumber(answer['seq']) &&
    isUpdates(answer['updates']) &&
    (answer['entry'] === undefined || isCounts(answer['entry'], SNAPSHOT_FIELDS)),
  token: () => true,
}

const SNAPSHOT_FIELDS = ['seq', 'bytes', 'chunkBytes']
const LIMIT_FIELDS = ['updateBytes', 'chunkBytes', 'presenceBytes']

function isUpdates(value: unknown): boolean {
  return Array.isArray(value) && value.every((update) => update instanceof Uint8Array)
}

function isCounts(value: unknown, fields: readonly string[]): boolean {
  return isRecord(value) && fields.every((field) => isSequenceNumber(value[field]))
}

function isRecord(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Answers nest bytes at most two deep (`updates: [bytes]`); deeper ones are not ours. */
const MAX_DEPTH = 3

function normalizeBytes(value: unknown, depth = 0): unknown {
  const bytes = readBytes(value)
  if (bytes !== null) return bytes
  if (depth === MAX_DEPTH || typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((item) => normalizeBytes(item, depth + 1))
  return Object.fromEntries(
    Object.entries(value).map(([field, item]) => [field, normalizeBytes(item, depth + 1)]),
  )
}
