import express, { type Request, type RequestHandler, type Router } from 'express'
import type { DocumentName } from '../../protocol/index.ts'
import type { AttachmentStore } from '../attachments/attachment-store.ts'
import { imageTypeOf } from '../attachments/image-type.ts'
import { answerMethodNotAllowed, HttpError } from './problem.ts'

export interface AttachmentRoutesOptions {
  readonly store: AttachmentStore
  readonly maxAttachmentBytes: number
  /** Before a body is read. */
  readonly gate: RequestHandler<{ name: string }>
  readonly admit: (needed: 'read' | 'write') => RequestHandler<{ name: string }>
  readonly admittedName: (response: express.Response) => DocumentName
}

/** What it is, its bytes say. A page of another site, with a visitor's cookies, can send only types that are not among these. */
const SENT_AS = ['application/octet-stream', 'image/*']

/** By content; a reader who has it once never asks again. */
const FOREVER = 'private, max-age=31536000, immutable'

/** `/documents/:name/attachments…`: images beside a document. Whoever may write it adds them, whoever may read it sees them. */
export function addAttachmentRoutes(router: Router, options: AttachmentRoutesOptions): void {
  const { store, maxAttachmentBytes, gate, admit, admittedName } = options
  const readBody = express.raw({ type: () => true, limit: maxAttachmentBytes })
  router
    .route('/documents/:name/attachments')
    .post(
      admit('write'),
      checkType,
      gate,
      limited(readBody, maxAttachmentBytes),
      async (request, response) => {
        const bytes: unknown = request.body
        const type = Buffer.isBuffer(bytes) ? imageTypeOf(bytes) : null
        if (!Buffer.isBuffer(bytes) || type === null)
          throw new HttpError(
            'unsupported-media-type',
            'an attachment is a PNG, JPEG, GIF or WebP image, whatever its type is said to be',
          )
        const id = await store.put(admittedName(response), bytes)
        response.status(201).json({ id, type, bytes: bytes.length })
      },
    )
    .all(answerMethodNotAllowed('POST'))
  router
    .route('/documents/:name/attachments/:id')
    .get(admit('read') as RequestHandler, async (request, response) => {
      const found = await store.get(admittedName(response), String(request.params['id']))
      if (found === null)
        throw new HttpError('attachment-not-found', 'the document has no such attachment')
      const { type, bytes } = found
      response.set({
        'Content-Type': type,
        'Cache-Control': FOREVER,
        Vary: 'Authorization',
        // It is a picture and nothing else, also for a browser that is led to its address.
        'X-Content-Type-Options': 'nosniff',
        'Content-Security-Policy': `default-src 'none'; sandbox`,
        'Content-Disposition': 'inline',
      })
      response.send(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
    })
    .all(answerMethodNotAllowed('GET', 'HEAD'))
}

const checkType: RequestHandler<{ name: string }> = (request, _response, next) => {
  if (!request.is(SENT_AS))
    throw new HttpError('unsupported-media-type', `an image is sent as ${SENT_AS.join(' or ')}`)
  next()
}

function limited(parse: RequestHandler, maxBytes: number): RequestHandler<{ name: string }> {
  return (request, response, next) => {
    parse(request as Request, response, (error: unknown) => {
      const isTooLarge =
        error instanceof Error && 'type' in error && error.type === 'entity.too.large'
      next(
        isTooLarge
          ? new HttpError('attachment-too-large', `an image may have at most ${maxBytes} bytes`, {
              limit: 'maxAttachmentBytes',
            })
          : error,
      )
    })
  }
}
