/**
 * A listener that is told whose event it is, so that one function serves all connections: a function of each one's own takes 130 bytes of it, and is
 * copied by two collections before it is old.
 */
export function emitterListener<Emitter, Arguments extends unknown[]>(
  handle: (emitter: Emitter, ...args: Arguments) => void,
): (this: Emitter, ...args: Arguments) => void {
  return function (...args) {
    handle(this, ...args)
  }
}
