import type { DocumentRecord } from './records.ts'

/** What the one process that has the directory knows of a document. Replaced as a whole, never changed. */
export interface DocumentState extends DocumentRecord {
  /** The last sequence number on disk. */
  readonly seq: number
  /** The last sequence number as the document's record on disk has it. */
  readonly recordedSeq: number
}

/**
 * Remembers the documents last used, so that an append reads nothing. The least recently used are
 * forgotten beyond `capacity`, but none that a write is under way for: read from disk again at that moment
 * it would come back with the old head.
 */
export class DocumentStates {
  readonly #capacity: number
  readonly #learn: (name: string) => Promise<DocumentState>
  readonly #states = new Map<string, DocumentState>()
  readonly #learning = new Map<string, Promise<DocumentState>>()
  readonly #pins = new Map<string, number>()
  #forgotten = 0

  /** `learn` reads a document's state from disk. */
  constructor(capacity: number, learn: (name: string) => Promise<DocumentState>) {
    this.#capacity = capacity
    this.#learn = learn
  }

  /** The state if it is at hand: the newest at this very moment. */
  peek(name: string): DocumentState | undefined {
    const state = this.#states.get(name)
    if (state !== undefined) {
      // A Map iterates in the order of insertion: the least recently used come first.
      this.#states.delete(name)
      this.#states.set(name, state)
    }
    return state
  }

  async get(name: string): Promise<DocumentState> {
    for (;;) {
      const known = this.peek(name)
      if (known !== undefined) return known
      const forgotten = this.#forgotten
      const learnt = await this.#learnOnce(name)
      // Learnt across a `clear`, it may mix what was on disk before and after.
      if (forgotten !== this.#forgotten) continue
      const newer = this.peek(name)
      if (newer !== undefined) return newer
      this.set(name, learnt)
      return learnt
    }
  }

  set(name: string, state: DocumentState): void {
    this.#states.delete(name)
    this.#states.set(name, state)
    if (this.#states.size <= this.#capacity) return
    for (const candidate of this.#states.keys()) {
      if (this.#pins.has(candidate) || candidate === name) continue
      this.#states.delete(candidate)
      if (this.#states.size <= this.#capacity) return
    }
  }

  /** Keeps the names from being evicted until `unpin`. */
  pin(names: Iterable<string>): void {
    for (const name of names) this.#pins.set(name, (this.#pins.get(name) ?? 0) + 1)
  }

  unpin(names: Iterable<string>): void {
    for (const name of names) {
      const left = (this.#pins.get(name) ?? 1) - 1
      if (left === 0) this.#pins.delete(name)
      else this.#pins.set(name, left)
    }
  }

  /** Everything remembered at this moment. */
  entries(): readonly (readonly [string, DocumentState])[] {
    return [...this.#states]
  }

  clear(): void {
    this.#forgotten++
    this.#states.clear()
    this.#learning.clear()
  }

  #learnOnce(name: string): Promise<DocumentState> {
    const running = this.#learning.get(name)
    if (running !== undefined) return running
    const learning = this.#learn(name).finally(() => {
      if (this.#learning.get(name) === learning) this.#learning.delete(name)
    })
    this.#learning.set(name, learning)
    return learning
  }
}
