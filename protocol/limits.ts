/**
 * Byte limits that both sides know before they speak. The server's own (larger or smaller) limits
 * come back with the answer to `join`.
 */

/**
 * The largest piece of an update or snapshot in one Socket.IO message. Socket.IO closes a
 * connection without a reason when a message exceeds `maxHttpBufferSize` (1 MB by default, and
 * base64 counts over long polling), and a ping waits behind a large message.
 */
export const CHUNK_BYTES = 256 * 1024

/**
 * What is larger than this is not relayed, and not given in an answer, as a whole: the client reads it in chunks. A line that needs longer
 * than a minute for it is too slow for anything else.
 */
export const LARGE_MESSAGE_BYTES = 4 * CHUNK_BYTES

/** The longest document name, in UTF-8 bytes. It leaves LevelDB keys short and log lines readable. */
export const MAX_DOCUMENT_NAME_BYTES = 512

/** Of a SHA-256: enough that two different documents do not have the same by chance. */
export const DIGEST_BYTES = 16

/** Clocks and lengths above this are refused: 2^31 edits by one client id is more than a lifetime of typing. */
export const MAX_CLOCK = 2 ** 31 - 1
