import { STATUS_CODES } from 'node:http'
import type { ErrorRequestHandler, RequestHandler, Response } from 'express'
import { ERROR_CODES, type ErrorCode, type Retry } from '../../protocol/index.ts'
import { DocumentError, StorageError } from '../errors.ts'
import type { Logger } from '../telemetry/logger.ts'

/** What HTTP can say beyond the codes of the Socket.IO protocol. */
export type HttpCode =
  | ErrorCode
  | 'invalid-parameter'
  | 'document-not-found'
  | 'not-found'
  | 'method-not-allowed'
  | 'not-acceptable'
  | 'unsupported-media-type'
  | 'attachment-not-found'
  | 'attachment-too-large'

/** The body of every HTTP error: RFC 9457 problem details, with the protocol's `code`, `retry` and `message`. */
export interface Problem {
  readonly title: string
  readonly status: number
  readonly code: HttpCode
  readonly retry: Retry
  readonly message: string
}

const STATUS: Readonly<Record<HttpCode, number>> = {
  'unsupported-protocol': 400,
  'origin-not-allowed': 403,
  'host-not-allowed': 403,
  'already-connected': 409,
  unauthenticated: 401,
  'token-expired': 401,
  'user-changed': 403,
  forbidden: 403,
  'access-revoked': 403,
  'read-only': 403,
  'update-refused': 422,
  'malformed-request': 400,
  'malformed-update': 400,
  'malformed-awareness': 400,
  'invalid-document-name': 400,
  'invalid-parameter': 400,
  'update-too-large': 413,
  'document-too-large': 413,
  'presence-too-large': 413,
  'presence-not-yours': 403,
  'too-many-documents': 429,
  'too-many-clients': 429,
  'too-many-connections': 429,
  'too-many-requests': 429,
  'not-joined': 409,
  // The update is well-formed and builds on edits that the document does not have: a conflict with its state.
  'missing-dependencies': 409,
  'cursor-too-old': 409,
  'upload-lost': 409,
  'snapshot-replaced': 409,
  'reader-too-slow': 503,
  'document-reset': 409,
  'document-deleted': 410,
  'document-not-found': 404,
  'document-damaged': 500,
  'storage-unavailable': 503,
  'server-closing': 503,
  'internal-error': 500,
  'not-found': 404,
  'method-not-allowed': 405,
  'not-acceptable': 406,
  'unsupported-media-type': 415,
  'attachment-not-found': 404,
  'attachment-too-large': 413,
}

/** Long enough for a restart or a full disk to be noticed, short enough that a person still waits. */
const RETRY_AFTER_SECONDS = 2

/** A refusal that only HTTP has a reason for. */
export class HttpError extends Error {
  override readonly name = 'HttpError'
  readonly code: HttpCode
  /** The option whose limit was reached, if one was; counted in `y_rooms_limit_hits_total`. */
  readonly limit: string | null

  constructor(code: HttpCode, message: string, options?: ErrorOptions & { limit?: string }) {
    super(message, options)
    this.code = code
    this.limit = options?.limit ?? null
  }
}

export function problem(code: HttpCode, message: string): Problem {
  const status = STATUS[code]
  return {
    title: STATUS_CODES[status] ?? 'Error',
    status,
    code,
    retry: Object.hasOwn(ERROR_CODES, code) ? ERROR_CODES[code as ErrorCode] : 'never',
    message,
  }
}

/**
 * What a peer may know of an error. Errors that are not refusals tell it nothing: their messages
 * name directories and lines of code.
 */
function problemOf(error: unknown): Problem {
  if (error instanceof DocumentError || error instanceof HttpError)
    return problem(error.code, error.message)
  if (error instanceof StorageError)
    return error.code === 'record-damaged'
      ? problem('document-damaged', 'the stored document is damaged')
      : problem('storage-unavailable', 'the storage is not available at the moment')
  // Express and its body parser mark what the request itself did wrong with a 4xx status.
  if (isClientFault(error)) return problem('malformed-request', error.message)
  return problem('internal-error', 'the server failed to answer; its log says why')
}

function sendProblem(response: Response, fault: Problem): void {
  response.status(fault.status)
  // Errors are about this moment; a proxy must not repeat them to others.
  response.set('Cache-Control', 'no-store')
  if (fault.status === 401) response.set('WWW-Authenticate', 'Bearer')
  // A limit that knows better has said it already.
  if ((fault.status === 503 || fault.status === 429) && !response.hasHeader('Retry-After'))
    response.set('Retry-After', String(RETRY_AFTER_SECONDS))
  response.type('application/problem+json').send(JSON.stringify(fault))
}

/** The last handler of a router: nothing else has answered. */
export const answerNotFound: RequestHandler = (request, response) => {
  sendProblem(
    response,
    problem('not-found', `there is nothing at ${request.baseUrl}${request.path}`),
  )
}

/** Answers the methods that a path does not have. */
export function answerMethodNotAllowed(...allowed: readonly string[]): RequestHandler {
  return (request, response) => {
    response.set('Allow', allowed.join(', '))
    sendProblem(
      response,
      problem('method-not-allowed', `${request.method} is not one of ${allowed.join(', ')}`),
    )
  }
}

/** Turns whatever a handler threw or rejected with into a problem, and logs what is the server's own fault. */
export function answerErrors(
  logger: Logger,
  handleLimitHit: (limit: string) => void = () => undefined,
): ErrorRequestHandler {
  return (error: unknown, request, response, next) => {
    const isRefusal = error instanceof DocumentError || error instanceof HttpError
    if (isRefusal && error.limit !== null) handleLimitHit(error.limit)
    const fault = problemOf(error)
    // A server that closes refuses, and nothing is wrong with it.
    if (fault.status >= 500 && fault.code !== 'server-closing')
      logger.error('an HTTP request failed', {
        method: request.method,
        path: `${request.baseUrl}${request.path}`,
        status: fault.status,
        code: fault.code,
        error,
      })
    // Half an answer cannot be taken back; Express then cuts the connection, which the client notices.
    if (response.headersSent) next(error)
    else sendProblem(response, fault)
  }
}

function isClientFault(error: unknown): error is Error {
  if (!(error instanceof Error) || !('status' in error)) return false
  return typeof error.status === 'number' && error.status >= 400 && error.status < 500
}
