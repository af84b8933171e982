import type { DocumentName, Epoch } from '../../protocol/index.ts'
import type { Storage } from '../storage/storage.ts'

/** Of so many chunks, the last ones, it is known that they were asked for once: half a megabyte. */
const REMEMBERED_CHUNKS = 4096

interface Reading {
  readonly bytes: Promise<Uint8Array | null>
  isAskedAgain: boolean
}

/**
 * Snapshot chunks in memory, bounded by bytes over all documents, the least recently read dropped first.
 * A chunk never changes, so all joiners share one copy, and joiners that come together share one read. Only what is asked for again is
 * kept: most documents are opened by one person, who would pay for a second copy of each with memory, and gain nothing.
 */
export class SnapshotCache {
  readonly #storage: Storage
  readonly #maxBytes: number
  /** In the order of their last use: a Map keeps insertion order. */
  readonly #chunks = new Map<string, Uint8Array>()
  readonly #reading = new Map<string, Reading>()
  readonly #askedOnce = new Set<string>()
  #bytes = 0

  constructor(storage: Storage, maxBytes: number) {
    this.#storage = storage
    this.#maxBytes = maxBytes
  }

  /** One chunk, or null when the snapshot is gone. The bytes are shared: read only. */
  async chunk(
    name: DocumentName,
    epoch: Epoch,
    snapshotSeq: number,
    chunk: number,
  ): Promise<Uint8Array | null> {
    // The name comes last: it is the only part that may contain a space.
    const key = `${epoch} ${snapshotSeq} ${chunk} ${name}`
    const cached = this.#chunks.get(key)
    if (cached !== undefined) {
      this.#chunks.delete(key)
      this.#chunks.set(key, cached)
      return cached
    }
    const running = this.#reading.get(key)
    if (running !== undefined) {
      running.isAskedAgain = true
      return running.bytes
    }
    const reading: Reading = {
      bytes: this.#storage.readSnapshotChunk(name, epoch, snapshotSeq, chunk),
      isAskedAgain: this.#askedOnce.delete(key),
    }
    this.#reading.set(key, reading)
    try {
      const bytes = await reading.bytes
      if (bytes === null) return null
      if (reading.isAskedAgain) this.#keep(key, bytes)
      else this.#remember(key)
      return bytes
    } finally {
      this.#reading.delete(key)
    }
  }

  #remember(key: string): void {
    this.#askedOnce.add(key)
    if (this.#askedOnce.size <= REMEMBERED_CHUNKS) return
    for (const oldest of this.#askedOnce) {
      this.#askedOnce.delete(oldest)
      break
    }
  }

  #keep(key: string, bytes: Uint8Array): void {
    if (bytes.length > this.#maxBytes) return
    this.#chunks.set(key, bytes)
    this.#bytes += bytes.length
    for (const [oldest, dropped] of this.#chunks) {
      if (this.#bytes <= this.#maxBytes) break
      this.#chunks.delete(oldest)
      this.#bytes -= dropped.length
    }
  }
}
