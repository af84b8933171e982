/**
 * The version of the wire. It rises when a message changes in a way that an older peer would
 * misread; `test/protocol/version.test.ts` pins the encoded messages beside it.
 *
 * 1  join, update, chunk, awareness, leave, pull; update, awareness, closed
 */
export const PROTOCOL_VERSION = 1

/** The Socket.IO namespace that a URL without a path means. */
export const DEFAULT_NAMESPACE = '/y-rooms'
