import type { DocumentName, Epoch } from '../../protocol/index.ts'
import type { DocumentState, DocumentStates } from './document-states.ts'
import type { OpenLevel } from './database-files.ts'
import type { LevelDatabase } from './level-database.ts'
import { documentRange, nameOfKey } from './level-keys.ts'
import { readLog } from './level-log.ts'
import {
  missing,
  readChunk,
  readIndex,
  readManifest,
  readStoredChunk,
  type SnapshotAddress,
  updateChunks,
} from './level-snapshots.ts'
import type { LevelMaintenance } from './level-maintenance.ts'
import { isDamage } from './level-recovery.ts'
import { decodeDocument, type Manifest } from './records.ts'
import type { DocumentHead, ListRequest, LogEntry, StoredChunk } from './storage.ts'

const NAMES_PER_READ = 1000

/** Of documents that are being joined at one time; some tens of kilobytes. */
const REMEMBERED_MANIFESTS = 128

/** The state has changed since it was looked up: look again. */
const AGAIN = Symbol('again')

/** What `Storage` reads. Rows may be removed at any moment, but only those that the newest state does not need. */
export class LevelReader {
  readonly #database: LevelDatabase
  readonly #states: DocumentStates
  readonly #maintenance: LevelMaintenance
  readonly #manifests = new Map<string, Manifest>()

  constructor(database: LevelDatabase, states: DocumentStates, maintenance: LevelMaintenance) {
    this.#database = database
    this.#states = states
    this.#maintenance = maintenance
  }

  head(name: DocumentName): Promise<DocumentHead> {
    return this.#withState<DocumentHead>(name, async (state, level) => {
      const { seq, snapshotSeq, generation } = state
      const head = { epoch: this.#database.epochOf(generation), seq }
      if (snapshotSeq === 0) return { ...head, snapshot: null }
      const address = { name, generation, seq: snapshotSeq }
      return this.#orRecovered<DocumentHead>(address, AGAIN, async () => {
        const manifest = await this.#manifest(level, address)
        const index =
          manifest === null ? null : await readIndex(level, this.#database.codec, address, manifest)
        if (manifest === null || index === null) return this.#goneOrDamaged(address)
        const { bytes, chunkBytes } = manifest
        return { ...head, snapshot: { seq: snapshotSeq, bytes, chunkBytes, index } }
      })
    })
  }

  readEntries(
    name: DocumentName,
    epoch: Epoch,
    after: number,
    maxBytes: number,
  ): Promise<readonly LogEntry[]> {
    return this.#withState<readonly LogEntry[]>(name, async (state, level) =>
      epoch === this.#database.epochOf(state.generation)
        ? readLog(level, name, state, after, maxBytes)
        : [],
    )
  }

  readSnapshotChunk(
    name: DocumentName,
    epoch: Epoch,
    snapshotSeq: number,
    chunk: number,
  ): Promise<Uint8Array | null> {
    return this.#readChunk(name, epoch, snapshotSeq, chunk, (level, address, manifest) =>
      readChunk(level, this.#database.codec, address, manifest, chunk),
    )
  }

  readStoredChunk(
    name: DocumentName,
    epoch: Epoch,
    snapshotSeq: number,
    chunk: number,
  ): Promise<StoredChunk | null> {
    return this.#readChunk(name, epoch, snapshotSeq, chunk, (level, address, manifest) =>
      readStoredChunk(level, address, manifest, chunk),
    )
  }

  #readChunk<Chunk>(
    name: DocumentName,
    epoch: Epoch,
    snapshotSeq: number,
    chunk: number,
    read: (level: OpenLevel, address: SnapshotAddress, manifest: Manifest) => Promise<Chunk | null>,
  ): Promise<Chunk | null> {
    return this.#withState<Chunk | null>(name, async (state, level) => {
      const { generation } = state
      if (epoch !== this.#database.epochOf(generation) || !isKept(state, snapshotSeq)) return null
      const address = { name, generation, seq: snapshotSeq }
      return this.#orRecovered<Chunk | null>(address, null, async () => {
        const manifest = await this.#manifest(level, address)
        if (manifest === null) return this.#goneOrDamaged(address)
        if (!Number.isInteger(chunk) || chunk < 0 || chunk >= updateChunks(manifest)) return null
        return (await read(level, address, manifest)) ?? this.#goneOrDamaged(address)
      })
    })
  }

  /** A manifest never changes; who opens a document asks for the index, then for chunks. */
  async #manifest(level: OpenLevel, address: SnapshotAddress): Promise<Manifest | null> {
    // Of what was read before the database was opened anew, another attempt may have taken the place.
    const key = `${this.#database.era} ${address.generation} ${address.seq} ${address.name}`
    const known = this.#manifests.get(key)
    if (known !== undefined) return known
    const manifest = await readManifest(level, address)
    if (manifest === null) return null
    this.#manifests.set(key, manifest)
    if (this.#manifests.size > REMEMBERED_MANIFESTS)
      for (const oldest of this.#manifests.keys()) {
        this.#manifests.delete(oldest)
        break
      }
    return manifest
  }

  async list({ prefix = '', after, limit }: ListRequest): Promise<readonly DocumentName[]> {
    await this.#database.ready()
    const names: DocumentName[] = []
    const iterator = this.#database.level.iterator({
      ...documentRange(prefix, after),
      fillCache: false,
    })
    try {
      while (names.length < limit) {
        // Some of the rows are deleted documents: ask again as long as there are any.
        const rows = await iterator.nextv(NAMES_PER_READ)
        if (rows.length === 0) break
        for (const [key, value] of rows) {
          const name = nameOfKey(key) as DocumentName
          if (names.length < limit && isListed(key, value, name)) names.push(name)
        }
      }
    } finally {
      await iterator.close()
    }
    return names
  }

  /** Calls `use` in the very turn in which the state is looked up, so that an iterator made there fits it. */
  async #withState<Result>(
    name: DocumentName,
    use: (state: DocumentState, level: OpenLevel) => Promise<Result | typeof AGAIN>,
  ): Promise<Result> {
    for (;;) {
      await this.#database.ready()
      const state = this.#states.peek(name)
      if (state === undefined) {
        await this.#states.get(name)
        continue
      }
      const result = await use(state, this.#database.level)
      if (result !== AGAIN) return result as Result
    }
  }

  /**
   * Reads rows of a snapshot. When the newest is damaged the document goes back to what came before it, and is read again.
   * The one before the newest nobody depends on: it is `gone` then, and who was reading it takes the newest.
   */
  async #orRecovered<Result>(
    address: SnapshotAddress,
    gone: Result | typeof AGAIN,
    read: () => Promise<Result | typeof AGAIN>,
  ): Promise<Result | typeof AGAIN> {
    try {
      return await read()
    } catch (error) {
      if (!isDamage(error)) throw error
      const { name, generation, seq } = address
      const state = this.#states.peek(name)
      if (state !== undefined && state.generation === generation && state.previousSeq === seq)
        if (state.snapshotSeq !== seq) return gone
      await this.#maintenance.recover(address.name as DocumentName, generation, seq, error)
      return AGAIN
    }
  }

  /** Rows of a snapshot were not there: another has taken its place meanwhile, or they are lost. */
  #goneOrDamaged(address: SnapshotAddress): typeof AGAIN {
    const state = this.#states.peek(address.name)
    if (state === undefined) return AGAIN
    if (state.generation !== address.generation || !isKept(state, address.seq)) return AGAIN
    throw missing(address)
  }
}

function isKept(state: DocumentState, snapshotSeq: number): boolean {
  return snapshotSeq > 0 && (snapshotSeq === state.snapshotSeq || snapshotSeq === state.previousSeq)
}

/** A document whose record is damaged is listed: whoever opens it learns of the damage. */
function isListed(key: Uint8Array, value: Uint8Array, name: DocumentName): boolean {
  try {
    return decodeDocument(key, value, name).isWritten
  } catch {
    return true
  }
}
