import type { RequestHandler, Response, Router } from 'express'
import type { DocumentName } from '../../protocol/index.ts'
import type { AttachmentStore } from '../attachments/attachment-store.ts'
import { imageTypeOf } from '../attachments/image-type.ts'
import type { ByteBudget } from './byte-budget.ts'
import { answerMethodNotAllowed, HttpError } from './problem.ts'
import { withBody } from './request-body.ts'

export interface AttachmentRoutesOptions {
  readonly store: AttachmentStore
  readonly maxAttachmentBytes: number
  /** Of the bodies. */
  readonly budget: ByteBudget
  /** A reader that takes nothing of an image for this long is left. */
  readonly stallMs: number
  readonly admit: (needed: 'read' | 'write') => RequestHandler<{ name: string }>
  readonly admittedName: (response: Response) => DocumentName
}

/** What it is, its bytes say. A page of another site, with a visitor's cookies, can send only types that are not among these. */
const SENT_AS = ['application/octet-stream', 'image/*']

/** By content; a reader who has it once never asks again. */
const FOREVER = 'private, max-age=31536000, immutable'

/** `/documents/:name/attachments…`: images beside a document. Whoever may write it adds them, whoever may read it sees them. */
export function addAttachmentRoutes(router: Router, options: AttachmentRoutesOptions): void {
  const { store, maxAttachmentBytes, budget, stallMs, admit, admittedName } = options
  const putImage = withBody({
    maxBytes: maxAttachmentBytes,
    budget,
    tooLarge: () =>
      new HttpError(
        'attachment-too-large',
        `an image may have at most ${maxAttachmentBytes} bytes`,
        {
          limit: 'maxAttachmentBytes',
        },
      ),
    handle: async (bytes, _request, response) => {
      const type = imageTypeOf(bytes)
      if (type === null)
        throw new HttpError(
          'unsupported-media-type',
          'an attachment is a PNG, JPEG, GIF or WebP image, whatever its type is said to be',
        )
      const id = await store.put(admittedName(response), bytes)
      response.status(201).json({ id, type, bytes: bytes.length })
    },
  })
  router
    .route('/documents/:name/attachments')
    .post(admit('write'), checkType, putImage)
    .all(answerMethodNotAllowed('POST'))
  router
    .route('/documents/:name/attachments/:id')
    .get(admit('read') as RequestHandler, async (request, response) => {
      const id = String(request.params['id'])
      const found = await store.find(admittedName(response), id)
      if (found === null) throw notFound()
      response.set({
        'Content-Type': found.type,
        'Cache-Control': FOREVER,
        Vary: 'Authorization',
        // It is a picture and nothing else, also for a browser that is led to its address.
        'X-Content-Type-Options': 'nosniff',
        'Content-Security-Policy': `default-src 'none'; sandbox`,
        'Content-Disposition': 'inline',
      })
      // A reader that takes no more of it ends its connection.
      response.setTimeout(stallMs)
      await sendFile(response, found.directory, id)
    })
    .all(answerMethodNotAllowed('GET', 'HEAD'))
}

const checkType: RequestHandler<{ name: string }> = (request, _response, next) => {
  if (!request.is(SENT_AS))
    throw new HttpError('unsupported-media-type', `an image is sent as ${SENT_AS.join(' or ')}`)
  next()
}

function notFound(): HttpError {
  return new HttpError('attachment-not-found', 'the document has no such attachment')
}

/** Piece by piece, as it is read; with ranges and conditions. */
function sendFile(response: Response, root: string, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    response.sendFile(name, { root, cacheControl: false }, (error: unknown) => {
      // Gone since it was found, with its document; or a reader that went away, who is answered nothing.
      if (!(error instanceof Error) || response.headersSent || response.destroyed) resolve()
      else reject('code' in error && error.code === 'ENOENT' ? notFound() : error)
    })
  })
}
