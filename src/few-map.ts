/**
 * A map that mostly has one entry or none: the documents of a connection, the clients of a document, the editors behind one connection. A `Map` takes
 * 184 bytes from the first moment on, this 56 until the second entry. Iterates in the order of insertion; deleting while iterating is safe.
 */
export class FewMap<Key, Value> {
  #key: Key | undefined = undefined
  #value: Value | undefined = undefined
  #hasOne = false
  /** All entries, from the second on. */
  #many: Map<Key, Value> | null = null

  get size(): number {
    if (this.#many !== null) return this.#many.size
    return this.#hasOne ? 1 : 0
  }

  get(key: Key): Value | undefined {
    if (this.#many !== null) return this.#many.get(key)
    return this.#hasOne && this.#key === key ? this.#value : undefined
  }

  has(key: Key): boolean {
    if (this.#many !== null) return this.#many.has(key)
    return this.#hasOne && this.#key === key
  }

  set(key: Key, value: Value): void {
    if (this.#many === null && this.#hasOne && this.#key !== key) {
      this.#many = new Map([[this.#key as Key, this.#value as Value]])
      this.#forgetOne()
    }
    if (this.#many !== null) {
      this.#many.set(key, value)
      return
    }
    this.#key = key
    this.#value = value
    this.#hasOne = true
  }

  delete(key: Key): boolean {
    if (this.#many !== null) return this.#many.delete(key)
    if (!this.has(key)) return false
    this.#forgetOne()
    return true
  }

  clear(): void {
    this.#many = null
    this.#forgetOne()
  }

  *[Symbol.iterator](): Generator<[Key, Value]> {
    if (this.#many !== null) yield* this.#many
    else if (this.#hasOne) yield [this.#key as Key, this.#value as Value]
  }

  *keys(): Generator<Key> {
    for (const [key] of this) yield key
  }

  *values(): Generator<Value> {
    for (const [, value] of this) yield value
  }

  #forgetOne(): void {
    this.#key = undefined
    this.#value = undefined
    this.#hasOne = false
  }
}
