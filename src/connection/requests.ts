import {
  DIGEST_BYTES,
  MAX_EPOCH_LENGTH,
  documentNameFault,
  isDocumentName,
  isSequenceNumber,
  type CheckRequest,
  type ChunkRequest,
  type Cursor,
  type DocumentName,
  type Epoch,
  type PullRequest,
} from '../../protocol/index.ts'
import { DocumentError } from '../errors.ts'
import { parseStateVector } from '../update/state-vector.ts'

/** A `join` request, checked. */
export interface Join {
  readonly name: DocumentName
  readonly clientId: number
  readonly key: string
  readonly attempt: number
  readonly epoch: Epoch | null
  readonly cursor: Cursor | null
  readonly stateVector: ReadonlyMap<number, number>
  readonly encodedStateVector: Uint8Array
}

const MIN_KEY_LENGTH = 16
const MAX_KEY_LENGTH = 128
const KEY_SHAPE = `a string of ${MIN_KEY_LENGTH} to ${MAX_KEY_LENGTH} characters`
const EMPTY_STATE_VECTOR = new Uint8Array([0])

const malformed = (message: string): DocumentError =>
  new DocumentError('malformed-request', message)

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * The bytes of an argument in a buffer of exactly their size, or null. Socket.IO hands out views into what
 * the socket read: 60 bytes can keep 22 kB alive.
 */
function readBytes(value: unknown): Uint8Array | null {
  return value instanceof Uint8Array ? new Uint8Array(value) : null
}

export function isClientId(value: unknown): value is number {
  return isSequenceNumber(value)
}

export function readJoin(request: unknown): Join {
  if (!isRecord(request)) throw malformed('join takes an object')
  const { document: name, clientId, key, attempt = 0, epoch, seq, stateVector } = request
  const fault = documentNameFault(name)
  if (fault !== null || !isDocumentName(name))
    throw new DocumentError('invalid-document-name', fault ?? 'not a document name')
  if (!isClientId(clientId)) throw malformed('clientId must be a Yjs client id')
  if (!isKey(key)) throw malformed(`key must be ${KEY_SHAPE}`)
  if (!isSequenceNumber(attempt)) throw malformed('attempt must be a number from 0 on')
  if (epoch !== undefined && !isEpoch(epoch)) throw malformed('epoch must be a short string')
  if (seq !== undefined && (epoch === undefined || !isSequenceNumber(seq)))
    throw malformed('seq must be a sequence number, and needs an epoch')
  const encodedStateVector = stateVector === undefined ? EMPTY_STATE_VECTOR : readBytes(stateVector)
  const clocks = encodedStateVector === null ? null : parseStateVector(encodedStateVector)
  if (encodedStateVector === null || clocks === null)
    throw malformed('stateVector must be an encoded Yjs state vector')
  return {
    name,
    clientId,
    key,
    attempt,
    epoch: epoch ?? null,
    cursor: epoch !== undefined && seq !== undefined ? { epoch, seq } : null,
    stateVector: clocks,
    encodedStateVector,
  }
}

export function readPull(request: unknown): PullRequest {
  if (!isRecord(request) || !isEpoch(request['epoch'])) throw malformed('pull takes an epoch')
  const { epoch, after, snapshot, entry, chunk, chunked } = request
  const named = [after, snapshot, entry].filter((value) => value !== undefined)
  if (named.length === 1) {
    if (isSequenceNumber(after)) return { epoch, after, chunked: chunked === true }
    if (isSequenceNumber(snapshot) && isSequenceNumber(chunk)) return { epoch, snapshot, chunk }
    if (isSequenceNumber(entry) && isSequenceNumber(chunk)) return { epoch, entry, chunk }
  }
  throw malformed('pull takes either after, or chunk with snapshot or entry')
}

export function readCheck(request: unknown): CheckRequest {
  if (!isRecord(request) || !isEpoch(request['epoch'])) throw malformed('check takes an epoch')
  const { epoch, seq, healed = false } = request
  const digest = readBytes(request['digest'])
  if (!isSequenceNumber(seq) || digest?.length !== DIGEST_BYTES)
    throw malformed(`check takes seq and a digest of ${DIGEST_BYTES} bytes`)
  return { epoch, seq, digest, healed: healed === true }
}

export function readChunk(request: unknown): ChunkRequest {
  if (!isRecord(request)) throw malformed('chunk takes an object')
  const { upload, offset, size, key } = request
  if (!isSequenceNumber(upload) || !isSequenceNumber(offset) || !isSequenceNumber(size))
    throw malformed('chunk takes upload, offset and size')
  if (key !== undefined && !isKey(key)) throw malformed(`key must be ${KEY_SHAPE}`)
  return { upload, offset, size, ...(key === undefined ? {} : { key }) }
}

/** The upload that an `update` refers to in place of bytes, or null. */
export function readUploadReference(value: unknown): number | null {
  return isRecord(value) && isSequenceNumber(value['upload']) ? value['upload'] : null
}

function isKey(value: unknown): value is string {
  return (
    typeof value === 'string' && value.length >= MIN_KEY_LENGTH && value.length <= MAX_KEY_LENGTH
  )
}

function isEpoch(value: unknown): value is Epoch {
  return typeof value === 'string' && value.length > 0 && value.length <= MAX_EPOCH_LENGTH
}

/** The bytes that an `update` carries, a copy: Socket.IO's buffers are parts of larger ones. */
export function readUpdateBytes(update: unknown, maxBytes: number): Uint8Array {
  if (!(update instanceof Uint8Array))
    throw new DocumentError('malformed-request', 'update takes bytes or an upload')
  if (update.length > maxBytes)
    throw new DocumentError(
      'update-too-large',
      `an update may have ${maxBytes} bytes, this one has ${update.length}`,
      { limit: 'maxUpdateBytes' },
    )
  return new Uint8Array(update)
}
