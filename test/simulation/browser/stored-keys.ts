/** What IndexedDB's own order says of the keys that occur here: numbers before strings before arrays. */
function compareKeys(one: IDBValidKey, other: IDBValidKey): number {
  const [left, right] = [rankOf(one), rankOf(other)]
  if (left !== right) return left - right
  if (Array.isArray(one) && Array.isArray(other)) {
    for (let at = 0; at < Math.min(one.length, other.length); at++) {
      const order = compareKeys(one[at] as IDBValidKey, other[at] as IDBValidKey)
      if (order !== 0) return order
    }
    return one.length - other.length
  }
  if (one === other) return 0
  return (one as number | string) < (other as number | string) ? -1 : 1
}

function rankOf(key: IDBValidKey): number {
  if (typeof key === 'number') return 0
  if (typeof key === 'string') return 1
  if (Array.isArray(key)) return 2
  throw new DOMException('the simulated database has no such keys', 'DataError')
}

/** Keys from one to another, both included. The only ranges that the client asks for. */
export class KeyRange {
  readonly lower: IDBValidKey
  readonly upper: IDBValidKey

  private constructor(lower: IDBValidKey, upper: IDBValidKey) {
    this.lower = lower
    this.upper = upper
  }

  static bound(lower: IDBValidKey, upper: IDBValidKey): KeyRange {
    return new KeyRange(lower, upper)
  }

  includes(key: IDBValidKey): boolean {
    return compareKeys(this.lower, key) <= 0 && compareKeys(key, this.upper) <= 0
  }
}

/** One object store: values by key, and the number that IndexedDB gives to the next one. */
export class ObjectStore {
  readonly #values: Map<string, { readonly key: IDBValidKey; readonly value: unknown }>
  readonly #isNumbered: boolean
  #nextKey: number

  constructor(isNumbered: boolean, values: ObjectStore['entries'] = [], nextKey = 1) {
    this.#isNumbered = isNumbered
    this.#nextKey = nextKey
    this.#values = new Map(values.map((entry) => [JSON.stringify(entry.key), entry]))
  }

  /** A transaction works on a copy, which takes the place of the original when it is committed. */
  copy(): ObjectStore {
    return new ObjectStore(this.#isNumbered, [...this.#values.values()], this.#nextKey)
  }

  /** In the order of their keys. */
  get entries(): readonly { readonly key: IDBValidKey; readonly value: unknown }[] {
    return [...this.#values.values()].sort((one, other) => compareKeys(one.key, other.key))
  }

  within(range: KeyRange | null): ObjectStore['entries'] {
    return this.entries.filter(({ key }) => range === null || range.includes(key))
  }

  get(key: IDBValidKey): unknown {
    return this.#values.get(JSON.stringify(key))?.value
  }

  put(value: unknown, key: IDBValidKey | undefined): IDBValidKey {
    if ((key === undefined) !== this.#isNumbered)
      throw new DOMException('a key is missing, or one too many', 'DataError')
    const chosen = key ?? this.#nextKey++
    this.#values.set(JSON.stringify(chosen), { key: chosen, value })
    return chosen
  }

  delete(query: IDBValidKey | KeyRange): void {
    if (query instanceof KeyRange)
      for (const { key } of this.within(query)) this.#values.delete(JSON.stringify(key))
    else this.#values.delete(JSON.stringify(query))
  }

  clear(): void {
    this.#values.clear()
  }
}
