import type { Request, RequestHandler, Response } from 'express'
import { DocumentError } from '../errors.ts'
import type { ByteBudget, HeldBytes } from './byte-budget.ts'
import { HttpError } from './problem.ts'

/** Small pieces are copied together: a body sent byte by byte would take a hundred times its size otherwise. */
const BLOCK_BYTES = 16 * 1024

interface BodyOptions {
  readonly maxBytes: number
  readonly budget: ByteBudget
  /** What is said about a body of more than `maxBytes`. */
  readonly tooLarge: () => Error
  /** The bytes are its own until it resolves; until then they count. */
  readonly handle: (
    body: Uint8Array,
    request: Request<{ name: string }>,
    response: Response,
  ) => Promise<void>
}

/**
 * Reads the body and hands it over, whole and as it was sent. What is refused is refused at once, and no more of it is kept: Node
 * reads the rest of the request and drops it, so that its sender gets to read the answer.
 */
export function withBody(options: BodyOptions): RequestHandler<{ name: string }> {
  return async (request, response) => {
    const held = options.budget.open()
    try {
      await options.handle(await readBody(request, held, options), request, response)
    } finally {
      held.release()
    }
  }
}

async function readBody(
  request: Request<{ name: string }>,
  held: HeldBytes,
  { maxBytes, tooLarge }: BodyOptions,
): Promise<Uint8Array> {
  // A parser of the host application was there before us.
  if (request.readableEnded) return alreadyRead(request, tooLarge, maxBytes)
  if (request.destroyed) throw endedEarly()
  const encoding = request.headers['content-encoding'] ?? 'identity'
  if (encoding.toLowerCase() !== 'identity')
    throw new HttpError(
      'unsupported-media-type',
      'send the bytes as they are, without a Content-Encoding',
    )
  const announced = Number(request.headers['content-length'] ?? 0)
  if (announced > maxBytes) throw tooLarge()
  const blocks = new Blocks(held, Math.min(BLOCK_BYTES, announced || BLOCK_BYTES))
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      request.off('data', take).off('end', end).off('error', giveUp).off('close', giveUp)
      // Somebody has to hear of the connection that breaks later.
      request.on('error', () => undefined)
    }
    const take = (chunk: Buffer): void => {
      try {
        if (blocks.length + chunk.length > maxBytes) throw tooLarge()
        blocks.add(chunk)
      } catch (error) {
        settle()
        blocks.clear()
        request.resume()
        reject(error as Error)
      }
    }
    const end = (): void => {
      settle()
      resolve(blocks.join())
    }
    const giveUp = (): void => {
      settle()
      blocks.clear()
      reject(endedEarly())
    }
    request.on('data', take).on('end', end).on('error', giveUp).on('close', giveUp)
  })
}

function endedEarly(): DocumentError {
  return new DocumentError('malformed-request', 'the connection ended before the body did')
}

function alreadyRead(
  { body }: Request<{ name: string }>,
  tooLarge: () => Error,
  maxBytes: number,
): Uint8Array {
  if (!Buffer.isBuffer(body))
    throw new Error(
      'the body was read before documents.router() saw it, and not as a Buffer; mount the router before body parsers',
    )
  if (body.length > maxBytes) throw tooLarge()
  return new Uint8Array(body)
}

/** The bytes so far, in memory that is counted. */
class Blocks {
  length = 0
  readonly #held: HeldBytes
  /** At least; a larger piece has a block of its own size. */
  readonly #blockBytes: number
  #blocks: Uint8Array[] = []
  /** How much of the last block is in use. */
  #used = 0

  constructor(held: HeldBytes, blockBytes: number) {
    this.#held = held
    this.#blockBytes = blockBytes
  }

  add(chunk: Uint8Array): void {
    const last = this.#blocks.at(-1)
    const fits = last === undefined ? 0 : Math.min(chunk.length, last.length - this.#used)
    last?.set(chunk.subarray(0, fits), this.#used)
    this.#used += fits
    this.length += fits
    if (fits === chunk.length) return
    const size = Math.max(chunk.length - fits, this.#blockBytes)
    this.#held.add(size)
    const block = new Uint8Array(size)
    block.set(chunk.subarray(fits))
    this.#blocks.push(block)
    this.#used = chunk.length - fits
    this.length += this.#used
  }

  /** An exact copy, which keeps nothing else alive. */
  join(): Uint8Array {
    const whole = new Uint8Array(this.length)
    let offset = 0
    for (const block of this.#blocks) {
      const used = Math.min(block.length, this.length - offset)
      whole.set(used === block.length ? block : block.subarray(0, used), offset)
      offset += used
    }
    this.clear()
    return whole
  }

  /** Nothing is kept here any more. Whether it counts is up to who opened the budget. */
  clear(): void {
    this.#blocks = []
  }
}
