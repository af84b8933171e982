import type { RequestHandler } from 'express'
import { DocumentError } from '../errors.ts'

/**
 * Bounds what bodies of requests take in memory together, counted as they arrive: whoever sends slowly, or announces much, takes
 * nothing from others by that. The one that goes beyond is refused, unless it is alone.
 */
export function bodyGate(maxBytes: number): RequestHandler<{ name: string }> {
  let held = 0
  return (request, response, next) => {
    let own = 0
    const count = (chunk: Buffer): void => {
      own += chunk.length
      held += chunk.length
      if (held <= maxBytes || own === held) return
      request.off('data', count)
      // The parser hears of it, gives up what it has, and hands the error on.
      request.emit(
        'error',
        new DocumentError('too-many-requests', 'too much is being sent at this moment; come back', {
          limit: 'maxHttpBodyBytes',
        }),
      )
    }
    request.on('data', count)
    response.on('close', () => (held -= own))
    next()
  }
}
