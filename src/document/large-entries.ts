import { CHUNK_BYTES, LARGE_MESSAGE_BYTES, type Epoch } from '../../protocol/index.ts'
import type { CancelTimer, Clock } from '../clock.ts'
import type { Storage } from '../storage/storage.ts'
import type { OpenDocument } from './open-document.ts'

/** Two of the largest updates that the default limits allow: fewer, and two documents that are read at once drive each other out. */
const MAX_BYTES = 128 * 1024 * 1024
/** Whoever reads one asks for the next piece within seconds. */
const IDLE_MS = 30_000

/** Log entries that are too large for one message, as long as somebody reads them in pieces. All readers share one copy. */
export class LargeEntries {
  readonly #storage: Storage
  readonly #clock: Clock
  /** In the order of their last use. */
  readonly #entries = new Map<string, Promise<Uint8Array | null>>()
  readonly #sizes = new Map<string, number>()
  #cancelIdle: CancelTimer | null = null

  constructor(storage: Storage, clock: Clock) {
    this.#storage = storage
    this.#clock = clock
  }

  /** How long the entry is if somebody reads it at present, so that nobody needs to look at the disk to name it. */
  bytesOf({ name, epoch }: OpenDocument, seq: number): number | null {
    return this.#sizes.get(keyOf(name, epoch, seq)) ?? null
  }

  /** Somebody has read this entry, and is going to ask for its pieces. */
  keep({ name, epoch }: OpenDocument, seq: number, update: Uint8Array): void {
    const key = keyOf(name, epoch, seq)
    if (this.#sizes.has(key)) return
    this.#entries.set(key, Promise.resolve(update))
    this.#handleRead(key, update)
  }

  /** One piece, or null when there is no such entry any more, or no such piece of it. The bytes are shared: read only. */
  async chunk(document: OpenDocument, seq: number, chunk: number): Promise<Uint8Array | null> {
    const { recent } = document
    const entry =
      seq > recent.since && seq <= recent.head
        ? (recent.after(seq - 1)[0]?.update ?? null)
        : await this.#read(document, seq)
    const offset = chunk * CHUNK_BYTES
    return entry !== null && offset < entry.length
      ? entry.subarray(offset, offset + CHUNK_BYTES)
      : null
  }

  async #read({ name, epoch }: OpenDocument, seq: number): Promise<Uint8Array | null> {
    const key = keyOf(name, epoch, seq)
    const reading = this.#entries.get(key) ?? this.#readStored(key, name, epoch, seq)
    this.#entries.delete(key)
    this.#entries.set(key, reading)
    this.#armIdle()
    return reading
  }

  async #readStored(
    key: string,
    name: OpenDocument['name'],
    epoch: Epoch,
    seq: number,
  ): Promise<Uint8Array | null> {
    try {
      const [entry] = await this.#storage.readEntries(name, epoch, seq - 1, 1)
      // Nobody is sent for small ones, and any number of them could be asked for.
      if (entry?.seq !== seq || entry.update.length <= LARGE_MESSAGE_BYTES) {
        this.#forget(key)
        return null
      }
      this.#handleRead(key, entry.update)
      return entry.update
    } catch (error) {
      this.#forget(key)
      throw error
    }
  }

  #handleRead(key: string, update: Uint8Array): void {
    this.#sizes.set(key, update.length)
    this.#trim(key)
    this.#armIdle()
  }

  #armIdle(): void {
    this.#cancelIdle?.()
    this.#cancelIdle = this.#clock.setTimer(IDLE_MS, () => this.#forgetAll())
  }

  #trim(newest: string): void {
    let bytes = [...this.#sizes.values()].reduce((sum, size) => sum + size, 0)
    for (const key of [...this.#entries.keys()]) {
      if (bytes <= MAX_BYTES || key === newest) return
      bytes -= this.#sizes.get(key) ?? 0
      this.#forget(key)
    }
  }

  #forget(key: string): void {
    this.#entries.delete(key)
    this.#sizes.delete(key)
  }

  #forgetAll(): void {
    this.#entries.clear()
    this.#sizes.clear()
    this.#cancelIdle = null
  }
}

/** The name comes last: it is the only part that may contain a space. */
const keyOf = (name: string, epoch: Epoch, seq: number): string => `${epoch} ${seq} ${name}`
