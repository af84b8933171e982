import type { ChunkRequest, DocumentHandle } from '../../protocol/index.ts'
import type { Clock } from '../clock.ts'
import { DocumentError } from '../errors.ts'
import type { ParkedUploads, Upload } from './parked-uploads.ts'

export interface UploadHere extends Upload {
  readonly document: DocumentHandle
  /** Under which name it is kept when the connection is lost; null: not at all. */
  readonly parkedAs: string | null
  readonly park: () => void
  touchedAt: number
}

export interface UploadsOptions {
  readonly clock: Clock
  readonly maxUpdateBytes: number
  readonly parked: ParkedUploads
}

/** One Y.Doc sends one large update at a time; more would only multiply the memory that it can claim. */
const MAX_UPLOADS_PER_DOCUMENT = 2

/** All uploads of a connection together may announce this many times the largest update. */
const MAX_UPDATES_PER_CONNECTION = 2

/** Of an upload that has had no chunk for this long nobody expects more, when somebody else needs its place. */
const ABANDONED_AFTER_MS = 30_000

/** Updates of one connection that arrive in chunks, because one message must not block it. */
export class Uploads {
  readonly #options: UploadsOptions
  readonly #uploads = new Map<string, UploadHere>()

  constructor(options: UploadsOptions) {
    this.#options = options
  }

  /**
   * Takes the next chunk of an upload, and says up to where it is here. No bytes at offset 0 ask for that alone: an upload that was
   * parked under this name goes on then.
   */
  add(
    document: DocumentHandle,
    request: ChunkRequest,
    bytes: Uint8Array,
    parkedAs: string | null,
  ): number {
    const { upload: id, offset, size } = request
    const { maxUpdateBytes } = this.#options
    if (size > maxUpdateBytes)
      throw new DocumentError(
        'update-too-large',
        `an update may have ${maxUpdateBytes} bytes, this one has ${size}`,
        { limit: 'maxUpdateBytes' },
      )
    const isQuestion = offset === 0 && bytes.length === 0 && parkedAs !== null
    if (size === 0 || (bytes.length === 0 && !isQuestion))
      throw new DocumentError('malformed-request', 'the chunk is empty')
    const key = keyOf(document, id)
    if (isQuestion) return this.#continue(document, id, size, parkedAs)
    const upload = offset === 0 ? this.#start(document, id, size, parkedAs) : this.#uploads.get(key)
    if (upload === undefined || upload.received !== offset) {
      // With a name its sender can ask where to go on.
      if (upload?.parkedAs === null) this.#forget(key)
      throw new DocumentError('upload-lost', 'a chunk of this upload is missing; send it again')
    }
    if (offset + bytes.length > upload.bytes.length) {
      this.#forget(key)
      throw new DocumentError('malformed-request', 'the chunk does not fit into its upload')
    }
    upload.bytes.set(bytes, offset)
    upload.received += bytes.length
    upload.touchedAt = this.#options.clock.now()
    return upload.received
  }

  /** The complete upload; it is forgotten here. */
  take(document: DocumentHandle, id: number): UploadHere {
    const key = keyOf(document, id)
    const upload = this.#uploads.get(key)
    if (upload === undefined || upload.received < upload.bytes.length) {
      if (upload?.parkedAs === null) this.#forget(key)
      throw new DocumentError('upload-lost', 'this upload is not complete; send it again')
    }
    this.#forget(key)
    return upload
  }

  /** What was taken could not be written now: its sender need not send it again. */
  restore({ parkedAs, bytes, received }: UploadHere): void {
    if (parkedAs !== null) this.#options.parked.park(parkedAs, { bytes, received })
  }

  /** The connection is no longer in this document. */
  leave(document: DocumentHandle): void {
    for (const [key, upload] of this.#uploads) if (upload.document === document) this.#park(key)
  }

  #continue(document: DocumentHandle, id: number, size: number, parkedAs: string): number {
    const parked = this.#options.parked.take(parkedAs, size)
    const upload = this.#start(document, id, size, parkedAs, parked)
    return upload.received
  }

  #start(
    document: DocumentHandle,
    id: number,
    size: number,
    parkedAs: string | null,
    begun: Upload | null = null,
  ): UploadHere {
    const key = keyOf(document, id)
    this.#forget(key)
    try {
      this.#makeRoom(document, size)
    } catch (error) {
      if (begun !== null && parkedAs !== null) this.#options.parked.park(parkedAs, begun)
      throw error
    }
    const upload: UploadHere = {
      document,
      parkedAs,
      park: () => this.#park(key),
      // Untouched pages of a fresh buffer cost no memory until bytes arrive.
      bytes: begun?.bytes ?? new Uint8Array(size),
      received: begun?.received ?? 0,
      touchedAt: this.#options.clock.now(),
    }
    this.#uploads.set(key, upload)
    if (parkedAs !== null) this.#options.parked.hold(parkedAs, upload.park)
    return upload
  }

  #makeRoom(document: DocumentHandle, size: number): void {
    const { clock, maxUpdateBytes } = this.#options
    while (!this.#hasRoom(document, size, maxUpdateBytes * MAX_UPDATES_PER_CONNECTION)) {
      const abandoned = [...this.#uploads].find(
        ([, { touchedAt }]) => clock.now() - touchedAt >= ABANDONED_AFTER_MS,
      )
      if (abandoned === undefined)
        throw new DocumentError('too-many-requests', 'too many uploads at once; finish one first')
      this.#park(abandoned[0])
    }
  }

  #hasRoom(document: DocumentHandle, size: number, maxBytes: number): boolean {
    let ofDocument = 0
    let announcedBytes = size
    for (const upload of this.#uploads.values()) {
      if (upload.document === document) ofDocument++
      announcedBytes += upload.bytes.length
    }
    return ofDocument < MAX_UPLOADS_PER_DOCUMENT && announcedBytes <= maxBytes
  }

  #park(key: string): void {
    const upload = this.#uploads.get(key)
    this.#forget(key)
    if (upload !== undefined) this.restore(upload)
  }

  #forget(key: string): void {
    const upload = this.#uploads.get(key)
    this.#uploads.delete(key)
    if (upload?.parkedAs != null) this.#options.parked.release(upload.parkedAs, upload.park)
  }
}

const keyOf = (document: DocumentHandle, id: number): string => `${document} ${id}`
