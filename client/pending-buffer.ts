import { CHUNK_BYTES, mergeAsTree } from '../protocol/index.ts'
import type { ChunkedUpload } from './chunked-upload.ts'

/** Local changes as one Yjs update. */
export interface PendingPiece {
  readonly update: Uint8Array
  /** How many local changes it stands for. */
  readonly changes: number
  /** It is so large that it goes in chunks, and some may have arrived: it must stay as it is. */
  upload?: ChunkedUpload
}

interface Piece extends PendingPiece {
  /** How often it was merged. Pieces of one level have about the same number of changes. */
  readonly level: number
}

/** How many pieces of one level become one of the next. Merging in Yjs costs the square of this. */
const FAN_IN = 64
/** Larger sets are not merged, so that what was typed offline for a month still goes in pieces that a server takes. */
const MAX_MERGED_BYTES = CHUNK_BYTES

/**
 * Updates that wait, in order, merged while they wait: 100,000 keystrokes made offline cost a few
 * hundred small pieces, each change being merged about three times.
 */
export class PendingBuffer {
  #pieces: Piece[] = []
  #changes = 0

  get changes(): number {
    return this.#changes
  }

  get isEmpty(): boolean {
    return this.#pieces.length === 0
  }

  get largestBytes(): number {
    return Math.max(0, ...this.#pieces.map((piece) => piece.update.length))
  }

  /** A piece is on its way in chunks. */
  get hasUpload(): boolean {
    return this.#pieces.some((piece) => piece.upload !== undefined)
  }

  add(piece: PendingPiece): void {
    this.#pieces.push({ ...piece, level: 0 })
    this.#changes += piece.changes
    this.#mergeTail()
  }

  /** Returns a piece that was taken, in front of what came since. It may have reached the server by now. */
  putBack(piece: PendingPiece): void {
    this.#pieces.unshift({ ...piece, level: Infinity })
    this.#changes += piece.changes
  }

  /** Takes the oldest pieces that fit together, at least one, merged. */
  take(maxBytes: number): PendingPiece | null {
    let count = 0
    let bytes = 0
    for (const piece of this.#pieces) {
      bytes += piece.update.length
      if (count > 0 && (bytes > maxBytes || piece.upload !== undefined)) break
      count++
      if (piece.upload !== undefined) break
    }
    if (count === 0) return null
    const taken = merge(this.#pieces.splice(0, count))
    this.#changes -= taken.changes
    return taken
  }

  /** All of it as one update, left where it is. */
  peek(): Uint8Array | null {
    return this.isEmpty ? null : mergeAsTree(this.#pieces.map((piece) => piece.update))
  }

  clear(): void {
    this.#pieces = []
    this.#changes = 0
  }

  #mergeTail(): void {
    for (;;) {
      const tail = this.#pieces.slice(-FAN_IN)
      const level = tail[0]?.level ?? 0
      if (tail.length < FAN_IN || !tail.every((piece) => piece.level === level)) return
      if (tail.some((piece) => piece.upload !== undefined)) return
      if (tail.reduce((bytes, piece) => bytes + piece.update.length, 0) > MAX_MERGED_BYTES) return
      this.#pieces.splice(-FAN_IN, FAN_IN, { ...merge(tail), level: level + 1 })
    }
  }
}

function merge(pieces: readonly PendingPiece[]): PendingPiece {
  const [only] = pieces
  if (only !== undefined && pieces.length === 1) return only
  return {
    update: mergeAsTree(pieces.map((piece) => piece.update)),
    changes: pieces.reduce((sum, piece) => sum + piece.changes, 0),
  }
}
