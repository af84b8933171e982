import type { DocumentName, Epoch } from '../../protocol/index.ts'
import type { Storage } from '../storage/storage.ts'

/**
 * Snapshot chunks in memory, bounded by bytes over all documents, the least recently read dropped first.
 * A chunk never changes, so all joiners share one copy, and joiners that come together share one read.
 */
export class SnapshotCache {
  readonly #storage: Storage
  readonly #maxBytes: number
  /** In the order of their last use: a Map keeps insertion order. */
  readonly #chunks = new Map<string, Uint8Array>()
  readonly #reading = new Map<string, Promise<Uint8Array | null>>()
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
    if (running !== undefined) return running
    const reading = this.#storage.readSnapshotChunk(name, epoch, snapshotSeq, chunk)
    this.#reading.set(key, reading)
    try {
      const bytes = await reading
      if (bytes !== null) this.#keep(key, bytes)
      return bytes
    } finally {
      this.#reading.delete(key)
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
