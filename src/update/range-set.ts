/**
 * A chunk holds at most this many numbers, two a range. Inserting moves half a chunk (1 KiB) on
 * average; with 500,000 ranges there are about 3,000 chunks, which a search halves in 12 steps.
 */
const CHUNK_NUMBERS = 512

/** The numbers of a new set's chunk: most clients of a document have a few deleted ranges only. */
const FIRST_CHUNK_NUMBERS = 8

/** What an empty chunk costs in V8 beside its numbers: a typed array and its bookkeeping. */
const CHUNK_OVERHEAD_BYTES = 136

/**
 * A set of clocks of one client, kept as sorted ranges that neither overlap nor touch. Ranges are
 * half open and end at MAX_CLOCK at most, so 32 bits hold them.
 */
export class RangeSet {
  /** Sorted numbers from, to, from, to, …; none is empty. */
  #chunks: Uint32Array[] = []
  /** How many numbers of each chunk are in use. */
  #used: number[] = []
  #size = 0

  /** The set of these ranges: from, to, from, to, …, sorted, not empty, and not touching each other. */
  static ofSorted(numbers: Uint32Array): RangeSet {
    const set = new RangeSet()
    for (let start = 0; start < numbers.length; start += CHUNK_NUMBERS) {
      const chunk = numbers.slice(start, start + CHUNK_NUMBERS)
      set.#chunks.push(chunk)
      set.#used.push(chunk.length)
    }
    set.#size = numbers.length / 2
    return set
  }

  /** How many ranges there are. */
  get size(): number {
    return this.#size
  }

  /** An estimate of the heap it takes. */
  get byteSize(): number {
    return this.#chunks.reduce((sum, chunk) => sum + chunk.byteLength + CHUNK_OVERHEAD_BYTES, 0)
  }

  /** The end of the last range, 0 without one. */
  get end(): number {
    const last = this.#chunks.length - 1
    return last < 0 ? 0 : at(this.#chunk(last), this.#count(last) - 1)
  }

  /** Whether every clock in [from, to) is in the set. */
  has(from: number, to: number): boolean {
    if (from >= to) return true
    const index = this.#chunkOf(from)
    if (index < 0) return false
    const chunk = this.#chunk(index)
    const position = firstRangeEndingAfter(chunk, this.#count(index), from)
    return (
      position < this.#count(index) && at(chunk, position) <= from && at(chunk, position + 1) >= to
    )
  }

  /** Puts [from, to) into the set. Returns whether that changed it. */
  add(from: number, to: number): boolean {
    if (from >= to || this.has(from, to)) return false
    if (this.#chunks.length === 0) {
      this.#chunks.push(new Uint32Array(FIRST_CHUNK_NUMBERS))
      this.#used.push(0)
    }
    let index = Math.max(this.#chunkOf(from), 0)
    let position = firstRangeEndingAfter(this.#chunk(index), this.#count(index), from - 1)
    let mergedTo = to
    let mergedFrom = from
    if (position < this.#count(index)) {
      mergedFrom = Math.min(from, at(this.#chunk(index), position))
    } else if (index + 1 < this.#chunks.length) {
      // Nothing here touches it. Where the next chunk's first range does, the new one belongs there.
      if (at(this.#chunk(index + 1), 0) <= to) {
        index++
        position = 0
      }
    }
    mergedTo = Math.max(to, this.#removeTouching(index, position, to))
    if (this.#chunks[index] === undefined) {
      this.#chunks.push(new Uint32Array(FIRST_CHUNK_NUMBERS))
      this.#used.push(0)
    }
    this.#insert(index, position, mergedFrom, mergedTo)
    return true
  }

  /** Calls back with every range in order. */
  forEach(visit: (from: number, to: number) => void): void {
    for (let index = 0; index < this.#chunks.length; index++) {
      const chunk = this.#chunk(index)
      for (let position = 0; position < this.#count(index); position += 2)
        visit(at(chunk, position), at(chunk, position + 1))
    }
  }

  /** Whether every clock of the other set is in this one. */
  includes(other: RangeSet): boolean {
    for (let index = 0; index < other.#chunks.length; index++) {
      const chunk = other.#chunk(index)
      for (let position = 0; position < other.#count(index); position += 2)
        if (!this.has(at(chunk, position), at(chunk, position + 1))) return false
    }
    return true
  }

  equals(other: RangeSet): boolean {
    return this.#size === other.#size && this.includes(other)
  }

  clone(): RangeSet {
    const copy = new RangeSet()
    copy.#chunks = this.#chunks.map((chunk) => chunk.slice())
    copy.#used = this.#used.slice()
    copy.#size = this.#size
    return copy
  }

  #chunk(index: number): Uint32Array {
    return this.#chunks[index] as Uint32Array
  }

  #count(index: number): number {
    return this.#used[index] as number
  }

  /** The last chunk that starts at or before this clock, or -1. */
  #chunkOf(clock: number): number {
    let low = 0
    let high = this.#chunks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (at(this.#chunk(middle), 0) <= clock) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  /**
   * Removes the ranges from this position on, in this chunk and those after it, that start at or
   * before `to`. Returns the end of the last of them, 0 without one.
   */
  #removeTouching(index: number, position: number, to: number): number {
    let end = 0
    let start = position
    let current = index
    while (current < this.#chunks.length) {
      const chunk = this.#chunk(current)
      const count = this.#count(current)
      let stop = start
      while (stop < count && at(chunk, stop) <= to) stop += 2
      if (stop > start) end = at(chunk, stop - 1)
      chunk.copyWithin(start, stop, count)
      this.#used[current] = count - (stop - start)
      this.#size -= (stop - start) / 2
      const more = stop === count
      // The chunk that the caller inserts into may be empty for a moment; others may not.
      if (this.#used[current] === 0 && current !== index) {
        this.#chunks.splice(current, 1)
        this.#used.splice(current, 1)
      } else {
        current++
      }
      if (!more) break
      start = 0
    }
    return end
  }

  #insert(index: number, position: number, from: number, to: number): void {
    let chunk = this.#chunk(index)
    const count = this.#count(index)
    if (count === CHUNK_NUMBERS) {
      this.#splitAndInsert(index, position, from, to)
      return
    }
    if (count === chunk.length) {
      const grown = new Uint32Array(Math.min(chunk.length * 2, CHUNK_NUMBERS))
      grown.set(chunk)
      this.#chunks[index] = grown
      chunk = grown
    }
    chunk.copyWithin(position + 2, position, count)
    chunk[position] = from
    chunk[position + 1] = to
    this.#used[index] = count + 2
    this.#size++
  }

  #splitAndInsert(index: number, position: number, from: number, to: number): void {
    const chunk = this.#chunk(index)
    // Appending to the very end leaves full chunks behind; elsewhere two halves have room.
    const isAppend = index === this.#chunks.length - 1 && position === CHUNK_NUMBERS
    const cut = isAppend ? CHUNK_NUMBERS : CHUNK_NUMBERS / 2
    const right = new Uint32Array(CHUNK_NUMBERS)
    right.set(chunk.subarray(cut))
    this.#used[index] = cut
    this.#chunks.splice(index + 1, 0, right)
    this.#used.splice(index + 1, 0, CHUNK_NUMBERS - cut)
    if (position < cut) this.#insert(index, position, from, to)
    else this.#insert(index + 1, position - cut, from, to)
  }
}

function at(chunk: Uint32Array, position: number): number {
  return chunk[position] as number
}

/** The position of the first range that ends after this clock, `count` without one. */
function firstRangeEndingAfter(chunk: Uint32Array, count: number, clock: number): number {
  let low = 0
  let high = count / 2
  while (low < high) {
    const middle = (low + high) >>> 1
    if (at(chunk, middle * 2 + 1) <= clock) low = middle + 1
    else high = middle
  }
  return low * 2
}
