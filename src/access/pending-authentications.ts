import { DocumentError } from '../errors.ts'
import type { Authenticate } from './access.ts'

/** An `authenticate` that is asked about so many handshakes, tokens and HTTP requests at once, and refuses more: it may wait for a database. */
export function boundPending(authenticate: Authenticate, maxPending: number): Authenticate {
  let pending = 0
  return async (handshake) => {
    if (pending >= maxPending)
      throw new DocumentError('too-many-requests', 'too many wait to be let in; come back', {
        limit: 'maxPendingAuthentications',
      })
    pending++
    try {
      return await authenticate(handshake)
    } finally {
      pending--
    }
  }
}
