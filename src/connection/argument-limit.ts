import type { Socket } from 'socket.io'
import { DocumentError } from '../errors.ts'

/** More than any event has, with its name and its acknowledgement, and room for what later versions add. */
const MAX_ARGUMENTS = 16

const REFUSAL = new DocumentError(
  'malformed-request',
  `an event may have ${MAX_ARGUMENTS} arguments`,
).toRefusal()

/**
 * Refuses events with a flood of arguments. Socket.IO hands the arguments of a packet to its listeners as those of one
 * call, outside of everything that catches: a packet of 200 KB with a hundred thousand of them would exceed
 * the stack and end the process. [T27]
 */
export function limitArguments(socket: Socket): void {
  socket.use(refuseFlood)
}

function refuseFlood(event: readonly unknown[], next: () => void): void {
  if (event.length <= MAX_ARGUMENTS) {
    next()
    return
  }
  const answer = event.at(-1)
  if (typeof answer === 'function') answer(REFUSAL)
}
