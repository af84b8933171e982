import { CHUNK_BYTES, type DocumentName, type Epoch } from '../../protocol/index.ts'
import { randomBytes } from 'node:crypto'
import { StorageError } from '../errors.ts'
import type {
  Append,
  AppendOutcome,
  DocumentHead,
  ListRequest,
  LogEntry,
  NewSnapshot,
  Storage,
} from './storage.ts'

interface MemoryDocument {
  generation: number
  /** The sequence number of the entry before `entries[0]`. */
  baseSeq: number
  entries: LogEntry[]
  /** At most two, the newest first. */
  snapshots: NewSnapshot[]
}

/** Keeps documents as long as the process lives: for tests, demonstrations and previews. */
export function memoryStorage(): Storage {
  return new MemoryStorage()
}

class MemoryStorage implements Storage {
  // Epochs of two processes must differ: the second has nothing of what the first acknowledged.
  readonly #storageId = randomBytes(8).toString('hex')
  readonly #documents = new Map<DocumentName, MemoryDocument>()
  #status: 'new' | 'open' | 'closed' = 'new'

  async open(): Promise<void> {
    if (this.#status === 'closed') throw notOpen()
    this.#status = 'open'
  }

  async head(name: DocumentName): Promise<DocumentHead> {
    this.#assertOpen()
    const document = this.#documents.get(name)
    if (document === undefined) return { epoch: this.#epoch(0), seq: 0, snapshot: null }
    const snapshot = document.snapshots[0]
    return {
      epoch: this.#epoch(document.generation),
      seq: headSeq(document),
      snapshot:
        snapshot === undefined
          ? null
          : {
              seq: snapshot.seq,
              bytes: snapshot.update.length,
              chunkBytes: CHUNK_BYTES,
              index: snapshot.index.slice(),
            },
    }
  }

  async append(batch: readonly Append[]): Promise<readonly AppendOutcome[]> {
    this.#assertOpen()
    return batch.map(({ name, epoch, entries }) => {
      const existing = this.#documents.get(name)
      if (epoch !== this.#epoch(existing?.generation ?? 0))
        return { ok: false, code: 'document-reset' }
      const document = existing ?? emptyDocument(0)
      const firstSeq = headSeq(document) + 1
      if (entries.length > 0) this.#documents.set(name, document)
      for (const [position, entry] of entries.entries())
        document.entries.push({
          seq: firstSeq + position,
          update: entry.update.slice(),
          author: entry.author,
          receivedAt: entry.receivedAt,
        })
      return { ok: true, firstSeq }
    })
  }

  async readEntries(
    name: DocumentName,
    epoch: Epoch,
    after: number,
    maxBytes: number,
  ): Promise<readonly LogEntry[]> {
    this.#assertOpen()
    const document = this.#documentOf(name, epoch)
    if (document === undefined) return []
    const entries: LogEntry[] = []
    let bytes = 0
    for (const entry of document.entries.slice(Math.max(0, after - document.baseSeq))) {
      bytes += entry.update.length
      if (bytes > maxBytes && entries.length > 0) break
      entries.push({ ...entry, update: entry.update.slice() })
    }
    return entries
  }

  async readSnapshotChunk(
    name: DocumentName,
    epoch: Epoch,
    snapshotSeq: number,
    chunk: number,
  ): Promise<Uint8Array | null> {
    this.#assertOpen()
    const snapshot = this.#documentOf(name, epoch)?.snapshots.find(({ seq }) => seq === snapshotSeq)
    if (snapshot === undefined) return null
    const start = chunk * CHUNK_BYTES
    if (!Number.isInteger(chunk) || start < 0 || start >= snapshot.update.length) return null
    return snapshot.update.slice(start, start + CHUNK_BYTES)
  }

  async replacePrefix(name: DocumentName, epoch: Epoch, snapshot: NewSnapshot): Promise<boolean> {
    this.#assertOpen()
    const document = this.#documentOf(name, epoch)
    if (document === undefined || snapshot.seq > headSeq(document)) return false
    const previous = document.snapshots[0]
    if (snapshot.seq <= (previous?.seq ?? 0)) return false
    const stored = {
      seq: snapshot.seq,
      update: snapshot.update.slice(),
      index: snapshot.index.slice(),
    }
    document.snapshots = previous === undefined ? [stored] : [stored, previous]
    if (previous !== undefined) {
      document.entries = document.entries.slice(previous.seq - document.baseSeq)
      document.baseSeq = previous.seq
    }
    return true
  }

  async list(request: ListRequest): Promise<readonly DocumentName[]> {
    this.#assertOpen()
    const { prefix = '', after, limit } = request
    return [...this.#documents]
      .filter(([, document]) => headSeq(document) > 0)
      .map(([name]) => name)
      .filter((name) => name.startsWith(prefix))
      .filter((name) => after === undefined || compareBytes(name, after) > 0)
      .sort(compareBytes)
      .slice(0, Math.max(0, limit))
  }

  async delete(name: DocumentName): Promise<Epoch> {
    this.#assertOpen()
    const generation = (this.#documents.get(name)?.generation ?? 0) + 1
    this.#documents.set(name, emptyDocument(generation))
    return this.#epoch(generation)
  }

  async close(): Promise<void> {
    this.#status = 'closed'
    this.#documents.clear()
  }

  #documentOf(name: DocumentName, epoch: Epoch): MemoryDocument | undefined {
    const document = this.#documents.get(name)
    return document !== undefined && epoch === this.#epoch(document.generation)
      ? document
      : undefined
  }

  #epoch(generation: number): Epoch {
    return `${this.#storageId}-${generation}`
  }

  #assertOpen(): void {
    if (this.#status !== 'open') throw notOpen()
  }
}

function emptyDocument(generation: number): MemoryDocument {
  return { generation, baseSeq: 0, entries: [], snapshots: [] }
}

function headSeq(document: MemoryDocument): number {
  return document.baseSeq + document.entries.length
}

function compareBytes(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other))
}

function notOpen(): StorageError {
  return new StorageError('storage-unavailable', 'The storage is not open.')
}
