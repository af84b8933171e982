import * as Y from 'yjs'

/** Numbers from a seed (mulberry32), so that a failing case is its seed. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed | 0
  }

  /** A whole number from 0 up to, not including, this. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit)
  }

  chance(share: number): boolean {
    return this.below(1000) < share * 1000
  }

  pick<Choice>(choices: readonly Choice[]): Choice {
    return choices[this.below(choices.length)] as Choice
  }
}

/**
 * Some replicas that edit and a server that relays, as in production: an edit reaches the other
 * replicas only through the server, in its order, at any later time.
 */
export class RandomWorld {
  readonly random: Random
  /** The document as the server's log has it. */
  readonly server: Y.Doc
  readonly #replicas: { doc: Y.Doc; inbox: Uint8Array[]; outbox: Uint8Array[] }[] = []

  constructor(seed: number, replicas = 3) {
    this.random = new Random(seed)
    this.server = new Y.Doc({ gc: this.random.chance(0.7) })
    for (let index = 0; index < replicas; index++) this.#addReplica()
  }

  /** Lets somebody edit, and returns an update that is sent to the server, in one of Yjs's ways. */
  nextUpdate(): Uint8Array {
    const { random } = this
    for (;;) {
      const replica = random.pick(this.#replicas)
      const delivered = random.below(replica.inbox.length + 1)
      for (const update of replica.inbox.splice(0, delivered)) Y.applyUpdate(replica.doc, update)
      for (let edits = 1 + random.below(4); edits > 0; edits--)
        replica.doc.transact(() => {
          for (let steps = 1 + random.below(3); steps > 0; steps--) edit(replica.doc, random)
        })
      if (replica.outbox.length === 0 || random.chance(0.3)) continue
      return this.#send(replica)
    }
  }

  /** The server has logged this update and relays it. */
  accept(update: Uint8Array): void {
    Y.applyUpdate(this.server, update)
    for (const replica of this.#replicas) replica.inbox.push(update)
  }

  #addReplica(): void {
    const replica = {
      doc: new Y.Doc({ gc: this.random.chance(0.7) }),
      inbox: [] as Uint8Array[],
      outbox: [] as Uint8Array[],
    }
    // Small and large ids; large ones take several bytes, as in production.
    replica.doc.clientID =
      this.#replicas.length * 100 + this.random.below(this.random.chance(0.5) ? 100 : 2 ** 31)
    replica.doc.on('update', (update: Uint8Array, _origin: unknown, _doc: Y.Doc, transaction) => {
      if (transaction.local) replica.outbox.push(update)
    })
    this.#replicas.push(replica)
  }

  #send(replica: { doc: Y.Doc; outbox: Uint8Array[] }): Uint8Array {
    const { random } = this
    // A format clean-up is a local transaction inside a remote one, and so part of the outbox too.
    const way = random.below(5)
    const sent = way === 0 ? replica.outbox.splice(0, 1) : replica.outbox.splice(0)
    const known = Y.encodeStateVector(this.server)
    if (way <= 1) return sent.length === 1 ? (sent[0] as Uint8Array) : Y.mergeUpdates(sent)
    if (way === 2) return Y.encodeStateAsUpdate(replica.doc, known)
    if (way === 3) return Y.encodeStateAsUpdate(replica.doc)
    return Y.diffUpdate(Y.mergeUpdates(sent), known)
  }
}

const WORDS = ['a', 'bc', 'déf', '日本語', '🙂🙃', 'x'.repeat(40), ' ', '\u{feff}bom']

/** One random edit of a document, over all that Yjs 13 can hold. */
function edit(doc: Y.Doc, random: Random): void {
  // Typing on at the end: items that Yjs joins, so that a later upload overlaps an earlier one.
  if (random.chance(0.25)) {
    const text = doc.getText('typed')
    text.insert(text.length, random.pick(WORDS))
    return
  }
  const target = pickType(doc, random)
  if (target instanceof Y.Text) editText(target, random)
  else if (target instanceof Y.Map) editMap(target, random)
  else if (target instanceof Y.Array) editArray(target, random)
  else if (target instanceof Y.XmlElement && random.chance(0.4)) editAttributes(target, random)
  else editXml(target as Y.XmlFragment, random)
}

function pickType(doc: Y.Doc, random: Random): Y.AbstractType<unknown> {
  const roots = [doc.getText('t'), doc.getMap('m'), doc.getArray('a'), doc.getXmlFragment('x')]
  let type = random.pick<unknown>(roots) as Y.AbstractType<unknown>
  while (random.chance(0.6)) {
    const nested = childrenOf(type)
    if (nested.length === 0) break
    type = random.pick(nested)
  }
  return type
}

function childrenOf(type: Y.AbstractType<unknown>): Y.AbstractType<unknown>[] {
  const values =
    type instanceof Y.Map
      ? [...type.values()]
      : type instanceof Y.Array || type instanceof Y.XmlFragment
        ? type.toArray()
        : []
  return values.filter((value) => value instanceof Y.AbstractType)
}

function editText(text: Y.Text, random: Random): void {
  const at = random.below(text.length + 1)
  const length = Math.min(random.below(5), text.length - at)
  const way = random.below(5)
  if (way === 0 && length > 0) text.delete(at, length)
  else if (way === 1 && length > 0) text.format(at, length, formats(random))
  else if (way === 2) text.insertEmbed(at, { image: random.pick(WORDS), n: [1, { deep: null }] })
  else if (way === 3) text.insert(at, random.pick(WORDS), formats(random))
  else text.insert(at, random.pick(WORDS))
}

function formats(random: Random): Record<string, unknown> {
  return random.pick([{ bold: true }, { bold: null }, { link: { href: 'é' } }, { color: 'red' }])
}

function editMap(map: Y.Map<unknown>, random: Random): void {
  const key = random.pick(['k', 'l', 'ключ', ''])
  if (random.chance(0.3)) map.delete(key)
  else map.set(key, randomValue(random))
}

function editArray(array: Y.Array<unknown>, random: Random): void {
  const at = random.below(array.length + 1)
  const length = Math.min(1 + random.below(3), array.length - at)
  if (random.chance(0.3) && length > 0) array.delete(at, length)
  else
    array.insert(
      at,
      Array.from({ length: 1 + random.below(4) }, () => randomElement(random)),
    )
}

function editXml(xml: Y.XmlFragment, random: Random): void {
  if (typeof xml.insert !== 'function') return
  const at = random.below(xml.length + 1)
  if (random.chance(0.3) && at < xml.length) xml.delete(at, 1)
  else if (random.chance(0.2)) xml.insert(at, [new Y.XmlHook('hook') as never])
  else xml.insert(at, [random.chance(0.5) ? new Y.XmlElement('p') : new Y.XmlText('text')])
}

function editAttributes(element: Y.XmlElement, random: Random): void {
  if (random.chance(0.3)) element.removeAttribute('class')
  else element.setAttribute('class', random.pick(WORDS))
}

/** Yjs takes these two kinds in maps, and in arrays only inside another value. */
function randomElement(random: Random): unknown {
  const value = randomValue(random)
  return value === undefined || typeof value === 'bigint' ? { value } : value
}

function randomValue(random: Random): unknown {
  const values: (() => unknown)[] = [
    () => random.below(2 ** 31) - 2 ** 30,
    () => random.below(1000) / 7,
    () => 0.5,
    () => -(2n ** 60n),
    () => null,
    () => undefined,
    () => true,
    () => random.pick(WORDS),
    () => ({ nested: [1, 'two', { three: undefined }], f: false }),
    () => new Uint8Array([1, 2, 3]),
    () => ({ bytes: new Uint8Array([9]), big: 2 ** 40 }),
    () => new Y.Text('born'),
    () => new Y.Map([['born', 1]]),
    () => Y.Array.from([1, 'a']),
    () => new Y.XmlElement('div'),
    () =>
      new Y.Doc({ meta: { title: 'sub' }, autoLoad: random.chance(0.5), gc: random.chance(0.5) }),
    () => new Y.Doc(),
  ]
  return random.pick(values)()
}
