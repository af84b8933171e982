import { ipKeyGenerator, rateLimit } from 'express-rate-limit'
import express, {
  type NextFunction,
  type Request,
  type RequestHandler,
  type Response,
  type Router,
} from 'express'
import { documentNameFault, isDocumentName, type DocumentName } from '../../protocol/index.ts'
import type { Access, Handshake, User } from '../access/access.ts'
import { hostNotAllowed, isHostAllowed } from '../access/host.ts'
import type { AttachmentStore } from '../attachments/attachment-store.ts'
import type { Clock } from '../clock.ts'
import { DocumentError } from '../errors.ts'
import type { ListRequest } from '../storage/storage.ts'
import type { Logger } from '../telemetry/logger.ts'
import { addAttachmentRoutes } from './attachment-routes.ts'
import { ByteBudget } from './byte-budget.ts'
import { readListQuery } from './list-query.ts'
import { withBody } from './request-body.ts'
import { takeTurns } from './request-turns.ts'
import { declareAccess } from './route-access.ts'
import { HttpError, answerErrors, answerMethodNotAllowed, answerNotFound } from './problem.ts'

/** A document as of one sequence number. */
interface DocumentState {
  readonly epoch: string
  readonly seq: number
}

/** Who sent a request, and what they may do. */
interface Requester {
  readonly user: User | null
  accessTo(name: DocumentName): Promise<Access>
}

/** What the router needs of the server. Rejections with a `DocumentError` or `StorageError` become their status. */
export interface DocumentsApi {
  /** Resolves to who is asking, or rejects with `unauthenticated`. A bearer token arrives as `auth.token`. */
  authorizeRequest(handshake: Handshake): Promise<Requester>
  /** Names in the order of their UTF-8 bytes; fewer than `limit` means that there are no more. */
  list(request: ListRequest): Promise<readonly DocumentName[]>
  /** The whole document as one Yjs V1 update; null when nothing is stored. */
  readUpdate(name: DocumentName): Promise<(DocumentState & { readonly update: Uint8Array }) | null>
  /** The document's shared types by name, as JSON in UTF-8; null when nothing is stored. */
  readJson(name: DocumentName): Promise<(DocumentState & { readonly json: Uint8Array }) | null>
  /** Resolves when the update is durable. The bytes belong to the callee. */
  applyUpdate(
    name: DocumentName,
    update: Uint8Array,
    author: User | null,
  ): Promise<{ readonly seq: number }>
  delete(name: DocumentName): Promise<void>
}

export interface DocumentsRouterOptions {
  readonly maxUpdateBytes: number
  /** Null: documents have no attachments. */
  readonly attachments: AttachmentStore | null
  readonly maxAttachmentBytes: number
  readonly maxHttpBodyBytes: number
  /** Somebody who takes nothing of an answer for this long is left. */
  readonly outboxStallMs: number
  /** Null: any. */
  readonly allowedHosts: readonly string[] | null
  /** From one address. */
  readonly httpRequestsPerMinute: number
  readonly logger: Logger
  readonly clock: Clock
  /** A request reached a limit; `limit` is the option that sets it. */
  readonly handleLimitHit: (limit: string) => void
}

const UPDATE_TYPE = 'application/octet-stream'
const JSON_TYPE = 'application/json'

type NamedRequest = Request<{ name: string }>
type Handler = (request: NamedRequest, response: express.Response) => Promise<void>

/** `/documents…`: list, read, write and delete documents over HTTP. */
export function documentsRouter(api: DocumentsApi, options: DocumentsRouterOptions): Router {
  const { maxUpdateBytes, maxHttpBodyBytes, outboxStallMs, logger, handleLimitHit } = options
  // One each: readers take no room from writers.
  const bodies = new ByteBudget(maxHttpBodyBytes)
  const answers = new ByteBudget(maxHttpBodyBytes)
  const router = express.Router({ caseSensitive: true })
  router.use('/documents', checkHost(options.allowedHosts))
  router.use('/documents', limitRate(options.httpRequestsPerMinute), takeTurns(options.clock))

  // Decided before anything else, and before a byte of the body is read: a stranger's 64 MiB are not taken in first.
  const admit = (needed: 'read' | 'write') =>
    declareAccess(
      needed,
      forward(async (request, response) => {
        const name = nameOf(request)
        const { user, accessTo } = await api.authorizeRequest(handshakeOf(request))
        const access = await accessTo(name)
        if (access === 'none')
          throw new DocumentError('forbidden', 'you have no access to this document')
        if (needed === 'write' && access !== 'write')
          throw new DocumentError('read-only', 'you may read this document but not change it')
        response.locals['admitted'] = { name, user } satisfies Admitted
      }),
    )

  const readDocument: Handler = async (request, response) => {
    const { name } = admittedOf(response)
    // The first one is the answer to `Accept: */*`.
    const type = request.accepts([UPDATE_TYPE, JSON_TYPE])
    if (type === false)
      throw new HttpError('not-acceptable', `a document comes as ${UPDATE_TYPE} or ${JSON_TYPE}`)
    const isJson = type === JSON_TYPE
    const state = isJson ? await api.readJson(name) : await api.readUpdate(name)
    if (state === null) throw new HttpError('document-not-found', 'there is no such document')
    if (response.destroyed) return
    const body = viewOf('json' in state ? state.json : state.update)
    // In memory until the reader has taken it, and one that takes nothing is left.
    const held = answers.open()
    held.add(body.length)
    response.on('close', held.release).setTimeout(outboxStallMs)
    response.set({
      Vary: 'Accept, Authorization',
      'Cache-Control': 'private, no-cache',
      // Weak, because compaction changes the bytes of an update and not what it says.
      ETag: `W/"${state.epoch}:${state.seq}:${isJson ? 'json' : 'update'}"`,
      'Document-Epoch': state.epoch,
      'Document-Seq': String(state.seq),
    })
    // A shared type is called whatever people like; nothing of it may be taken for a page.
    response.set({ 'X-Content-Type-Options': 'nosniff', 'Content-Type': type })
    response.send(body)
  }

  const deleteDocument: Handler = async (_request, response) => {
    await api.delete(admittedOf(response).name)
    response.status(204).end()
  }

  const checkType = (request: NamedRequest, _response: Response, next: NextFunction): void => {
    if (request.is(UPDATE_TYPE) === false)
      throw new HttpError('unsupported-media-type', `an update is sent as ${UPDATE_TYPE}`)
    next()
  }

  const applyUpdate = withBody({
    maxBytes: maxUpdateBytes,
    budget: bodies,
    tooLarge: () =>
      new DocumentError('update-too-large', `an update may have at most ${maxUpdateBytes} bytes`, {
        limit: 'maxUpdateBytes',
      }),
    handle: async (update, _request, response) => {
      const { name, user } = admittedOf(response)
      if (update.length === 0)
        throw new DocumentError('malformed-update', 'the request has no body; send a Yjs V1 update')
      const { seq } = await api.applyUpdate(name, update, user)
      response.json({ seq })
    },
  })

  router
    .route('/documents')
    .get(
      // Of the documents, whoever asks is told those that it may read.
      declareAccess('user', async (request: Request, response: Response) => {
        const requester = await api.authorizeRequest(handshakeOf(request))
        const query = readListQuery(request.query)
        const page = await listReadable(api, requester, query, () => response.destroyed)
        response.set('Cache-Control', 'private, no-cache').json(page)
      }),
    )
    .all(answerMethodNotAllowed('GET', 'HEAD'))
  router
    .route('/documents/:name')
    .get(admit('read'), readDocument)
    .delete(admit('write'), deleteDocument)
    .all(answerMethodNotAllowed('GET', 'HEAD', 'DELETE'))
  router
    .route('/documents/:name/updates')
    .post(admit('write'), checkType, applyUpdate)
    .all(answerMethodNotAllowed('POST'))
  const { attachments: store, maxAttachmentBytes } = options
  const admittedName = (response: Response): DocumentName => admittedOf(response).name
  if (store !== null)
    addAttachmentRoutes(router, {
      store,
      maxAttachmentBytes,
      budget: bodies,
      stallMs: outboxStallMs,
      admit,
      admittedName,
    })
  router.use(answerNotFound)
  router.use(answerErrors(logger, handleLimitHit))
  return router
}

function checkHost(allowed: readonly string[] | null): RequestHandler {
  return (request, _response, next) => {
    if (!isHostAllowed(request.headers, allowed)) throw hostNotAllowed()
    next()
  }
}

/** Before anybody is authenticated: that is what a flood would cost. */
function limitRate(httpRequestsPerMinute: number): RequestHandler {
  return rateLimit({
    windowMs: 60_000,
    limit: httpRequestsPerMinute,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    // As Express sees it: whether a proxy is trusted is the host application's to say.
    keyGenerator: ({ ip = '' }) => ipKeyGenerator(ip),
    validate: false,
    handler: (_request, _response, next) =>
      next(
        new DocumentError('too-many-requests', 'too many requests from this address; come back', {
          limit: 'httpRequestsPerMinute',
        }),
      ),
  })
}

/** Who may do with which document what the route declares. */
interface Admitted {
  readonly name: DocumentName
  readonly user: User | null
}

function admittedOf(response: Response): Admitted {
  return response.locals['admitted'] as Admitted
}

/** A handler that lets the next one go on once it is done. */
function forward(
  handler: Handler,
): (...args: [...Parameters<Handler>, NextFunction]) => Promise<void> {
  return async (request, response, next) => {
    await handler(request, response)
    next()
  }
}

function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function nameOf(request: NamedRequest): DocumentName {
  // Express has undone the percent-encoding once, so that `a%2Fb` is the document `a/b`.
  const { name } = request.params
  if (isDocumentName(name)) return name
  throw new DocumentError('invalid-document-name', documentNameFault(name) ?? 'invalid name')
}

/** The same question that a Socket.IO connection asks, so that one `authenticate` hook serves both. */
function handshakeOf(request: Pick<Request, 'headers' | 'ip' | 'socket'>): Handshake {
  const bearer = /^Bearer +([^\s]+) *$/i.exec(request.headers.authorization ?? '')
  return {
    auth: bearer === null ? {} : { token: bearer[1] },
    headers: request.headers,
    address: request.ip ?? request.socket.remoteAddress ?? '',
  }
}

interface ListAnswer {
  readonly documents: readonly DocumentName[]
  /** Send this back to read on; null after the last document. */
  readonly cursor: string | null
}

/**
 * A page of the documents that the requester may read. It goes on until the page is full, because a
 * cursor at a document that was left out would tell its name.
 */
async function listReadable(
  api: DocumentsApi,
  requester: Requester,
  query: ListRequest,
  isGivenUp: () => boolean,
): Promise<ListAnswer> {
  const documents: DocumentName[] = []
  let after = query.after
  while (!isGivenUp()) {
    const names = await api.list({ ...query, ...(after === undefined ? {} : { after }) })
    for (const name of names) {
      if ((await requester.accessTo(name)) === 'none') continue
      documents.push(name)
      if (documents.length === query.limit) return { documents, cursor: name }
    }
    if (names.length < query.limit) break
    after = names.at(-1)
  }
  return { documents, cursor: null }
}
