import * as Y from 'yjs'
import type { Random } from './random-world.ts'

const WORDS = ['a', 'bc', 'déf', '日本語', '🙂🙃', 'x'.repeat(40), ' ', '\u{feff}bom']

/** One random edit of a document, over all that Yjs 13 can hold. */
export function edit(doc: Y.Doc, random: Random): void {
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
