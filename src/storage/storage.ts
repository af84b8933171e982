import type { DocumentName, Epoch } from '../../protocol/index.ts'

/** An accepted update on its way to the log. */
export interface NewEntry {
  /** A Yjs V1 update, checked. The storage keeps the bytes as they are. */
  readonly update: Uint8Array
  /** The author's user id, or null when nobody was authenticated. */
  readonly author: string | null
  /** Milliseconds since 1970, UTC. Informational: order is by sequence number alone. */
  readonly receivedAt: number
}

export interface LogEntry extends NewEntry {
  /** 1 for the first update of an epoch, then without holes. */
  readonly seq: number
}

/** The entries of one document in an `append`. */
export interface Append {
  readonly name: DocumentName
  readonly epoch: Epoch
  readonly entries: readonly NewEntry[]
}

export type AppendOutcome =
  /** The entries have the sequence numbers `firstSeq`, `firstSeq + 1`, … in their order. */
  | { readonly ok: true; readonly firstSeq: number }
  /** The document has another epoch by now; nothing of this document was written. */
  | { readonly ok: false; readonly code: 'document-reset' }
  /** What is stored of the document cannot be read; nothing of it was written, the others were. */
  | { readonly ok: false; readonly code: 'record-damaged' }

/** The first `seq` entries of a log folded into one update. */
export interface NewSnapshot {
  readonly seq: number
  /** A Yjs V1 update. */
  readonly update: Uint8Array
  /** The document index at `seq`, encoded; opaque to the storage. */
  readonly index: Uint8Array
  /**
   * The chunks (of `CHUNK_BYTES`) of the update and then those of the index, each deflated without a header, by who made the snapshot where it
   * disturbs nobody. A storage that does not deflate leaves them alone. Default: there are none.
   */
  readonly deflatedChunks?: readonly Uint8Array[]
}

/** A chunk of a snapshot as it is kept, in a buffer that is its reader's own and may be given to another thread. */
export interface StoredChunk {
  readonly bytes: Uint8Array
  /** Without a header. */
  readonly isDeflated: boolean
}

export interface StoredSnapshot {
  readonly seq: number
  /** Length of the update in bytes. */
  readonly bytes: number
  /** Length of every chunk but the last. */
  readonly chunkBytes: number
  readonly index: Uint8Array
}

export interface DocumentHead {
  readonly epoch: Epoch
  /** The last sequence number; 0 when nothing was ever written. */
  readonly seq: number
  /** The newest snapshot. Entries after its `seq` are in the log. */
  readonly snapshot: StoredSnapshot | null
}

export interface ListRequest {
  /** Only names that start with this. Default: all. */
  readonly prefix?: string
  /** Only names after this one, in the order of their UTF-8 bytes. */
  readonly after?: string
  readonly limit: number
}

/**
 * Where documents are kept. An implementation passes `storageContract` of `y-rooms/testing`, whose
 * cases carry the rule ids below. Every method rejects with a `StorageError`; a rejected read is
 * never to be taken for an empty document.
 */
export interface Storage {
  /**
   * [ST1] Makes the storage ready, or rejects with `storage-locked`, `storage-inaccessible` or
   * `storage-format`. A rejected `open` leaves nothing behind and harms no other owner.
   */
  open(): Promise<void>

  /**
   * [ST2] What is stored under a name. A name that was never written has `seq` 0, no snapshot, and
   * an epoch that stays the same across restarts; asking writes nothing.
   */
  head(name: DocumentName): Promise<DocumentHead>

  /**
   * [ST3] Appends entries of many documents in one durable, atomic step: when the promise resolves
   * all of them survive a kill of the process (and, with strict durability, a power cut); when it
   * rejects, the caller may count on nothing and must read the head again. An empty batch writes something of the storage's own, as
   * durably: it tells whether writes succeed.
   * [ST4] Sequence numbers continue the document's log without holes, in the order of the entries
   * and of the calls. A name occurs once per call; calls may overlap.
   * [ST5] Entries of another epoch than the stored one are refused, the other documents' are written.
   */
  append(batch: readonly Append[]): Promise<readonly AppendOutcome[]>

  /**
   * [ST6] Entries with a sequence number above `after`, in order, without holes, up to about
   * `maxBytes` of updates but at least one if there is one. Empty: there are none. Entries that a
   * snapshot replaced may be gone: asking for them rejects with nothing but returns a first entry
   * whose `seq` is not `after + 1`.
   */
  readEntries(
    name: DocumentName,
    epoch: Epoch,
    after: number,
    maxBytes: number,
  ): Promise<readonly LogEntry[]>

  /**
   * [ST7] One chunk of a snapshot, counted from 0, or null when that snapshot (or epoch) is gone.
   * The newest snapshot and the one before it stay readable. [ST13] A storage that finds the newest damaged goes back to the one
   * before and the entries after it, if those are whole: epoch and `seq` of the head stay, the lost snapshot is gone (null here), and
   * none is stored with its `seq` again. Else it rejects with `record-damaged`, here and in `head`.
   */
  readSnapshotChunk(
    name: DocumentName,
    epoch: Epoch,
    snapshotSeq: number,
    chunk: number,
  ): Promise<Uint8Array | null>

  /**
   * [ST7] The same, checked, for who reads a whole snapshot on another thread and inflates it there. Default: `readSnapshotChunk` is
   * asked.
   */
  readStoredChunk?(
    name: DocumentName,
    epoch: Epoch,
    snapshotSeq: number,
    chunk: number,
  ): Promise<StoredChunk | null>

  /**
   * [ST8] Replaces the first `snapshot.seq` entries by the snapshot, atomically: after a kill at any
   * moment the document is whole, from the old snapshot and its log or from the new. Entries
   * appended meanwhile stay. [ST9] The snapshot before this one, and the entries after it, are kept until the next
   * replacement, or `condense`. A snapshot older than the stored one, beyond the head, or of another epoch is ignored
   * and answers false, and so is one at the `seq` of a snapshot that was given up [ST13].
   */
  replacePrefix(name: DocumentName, epoch: Epoch, snapshot: NewSnapshot): Promise<boolean>

  /**
   * [ST18] Lets a document that nobody changes take less, where it is worth it: a copy of the newest snapshot takes the place of the snapshot
   * before it, and of the log between them but for its end, under a lower sequence number than the newest. Atomic like a replacement, and
   * [ST13] holds as before. Whoever was reading the snapshot before takes the newest. Left out by a storage that has nothing to gain.
   */
  condense?(name: DocumentName, epoch: Epoch): Promise<boolean>

  /** [ST10] Names with at least one entry, in the order of their UTF-8 bytes. */
  list(request: ListRequest): Promise<readonly DocumentName[]>

  /**
   * [ST11] Removes a document and starts a new epoch under its name, which is returned. Atomic for
   * every reader: after a kill at any moment the document is whole or gone.
   */
  delete(name: DocumentName): Promise<Epoch>

  /** Documents that `open` has found damaged, as far as their names are known. Left out by a storage that does not look. */
  damagedDocuments?(): readonly DocumentName[]

  /** [ST12] Waits for calls under way, then releases everything. Idempotent. Later calls reject. */
  close(): Promise<void>
}
