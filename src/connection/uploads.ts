import type { ChunkRequest } from '../../protocol/index.ts'
import { DocumentError } from '../errors.ts'

interface Upload {
  readonly bytes: Uint8Array
  received: number
}

/** One client sends one large update at a time; more would only multiply the memory it can claim. */
const MAX_UPLOADS_PER_SESSION = 2

/** Updates that arrive in chunks, because one message must not block a connection. */
export class Uploads {
  readonly #maxBytes: number
  readonly #uploads = new Map<number, Upload>()

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Takes the next chunk of an upload. The memory for it is taken as it arrives, not as it is announced. */
  add(request: ChunkRequest, bytes: Uint8Array): void {
    if (request.size > this.#maxBytes)
      throw new DocumentError(
        'update-too-large',
        `an update may have ${this.#maxBytes} bytes, this one has ${request.size}`,
      )
    const upload = request.offset === 0 ? this.#start(request) : this.#uploads.get(request.upload)
    if (upload === undefined || upload.received !== request.offset) {
      this.#uploads.delete(request.upload)
      throw new DocumentError('upload-lost', 'a chunk of this upload is missing; send it again')
    }
    if (bytes.length === 0 || request.offset + bytes.length > upload.bytes.length) {
      this.#uploads.delete(request.upload)
      throw new DocumentError('malformed-request', 'the chunk does not fit into its upload')
    }
    upload.bytes.set(bytes, request.offset)
    upload.received += bytes.length
  }

  /** The complete update; it is forgotten here. */
  take(id: number): Uint8Array {
    const upload = this.#uploads.get(id)
    this.#uploads.delete(id)
    if (upload === undefined || upload.received < upload.bytes.length)
      throw new DocumentError('upload-lost', 'this upload is not complete; send it again')
    return upload.bytes
  }

  #start(request: ChunkRequest): Upload {
    if (this.#uploads.size >= MAX_UPLOADS_PER_SESSION && !this.#uploads.has(request.upload))
      throw new DocumentError('upload-lost', 'too many uploads at once; finish one first')
    // Untouched pages of a fresh buffer cost no memory until bytes arrive.
    const upload = { bytes: new Uint8Array(request.size), received: 0 }
    this.#uploads.set(request.upload, upload)
    return upload
  }
}
