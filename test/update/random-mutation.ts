import * as Y from 'yjs'
import type { DocumentIndex } from '../../src/update/document-index.ts'
import { parseStateVector } from '../../src/update/state-vector.ts'
import {
  anyItem,
  deletedItem,
  forge,
  stringBytes,
  textItem,
  typeItem,
  type ForgedItem,
  type ForgedStruct,
  type Id,
} from './forged-update.ts'
import type { Random } from './random-world.ts'

/** A copy with a few faults: flipped bits, cuts, splices from other updates, bytes put in or out. */
export function mutate(
  random: Random,
  update: Uint8Array,
  donors: readonly Uint8Array[],
): Uint8Array {
  let bytes = [...update]
  for (let faults = 1 + random.below(3); faults > 0; faults--) {
    const at = random.below(bytes.length + 1)
    const way = random.below(8)
    if (way <= 1) bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8))
    else if (way === 2) bytes[at] = random.below(256)
    else if (way === 3) bytes = bytes.slice(0, at)
    else if (way === 4) bytes.splice(at, 0, random.below(256))
    else if (way === 5) bytes.splice(at, 1 + random.below(3))
    else if (way === 6) bytes[at] = Math.min(255, (bytes[at] ?? 0) + random.pick([1, -1, 2]))
    else {
      const donor = random.pick(donors)
      const from = random.below(donor.length)
      bytes.splice(at, random.below(8), ...donor.subarray(from, from + random.below(40)))
    }
  }
  return Uint8Array.from(bytes)
}

/** An update whose parts are sound, and whose clocks, references and lengths lie near what exists. */
export function forgeRandomly(random: Random, index: DocumentIndex, state: Uint8Array): Uint8Array {
  const forger = new Forger(random, index, state)
  return forger.update()
}

class Forger {
  readonly #random: Random
  readonly #clients: readonly number[]
  readonly #index: DocumentIndex
  /** Items of the document that hold a type, so that references to parents sometimes hit one. */
  readonly #types: readonly Id[]

  constructor(random: Random, index: DocumentIndex, state: Uint8Array) {
    this.#random = random
    this.#index = index
    const known = parseStateVector(index.stateVector()) as Map<number, number>
    this.#clients = [...known.keys(), random.below(50), random.below(2 ** 32)]
    this.#types = Y.decodeUpdate(state)
      .structs.filter((struct) => struct instanceof Y.Item && 'type' in struct.content)
      .map((struct) => [struct.id.client, struct.id.clock] as const)
  }

  update(): Uint8Array {
    const random = this.#random
    const chosen = [...new Set([random.pick(this.#clients), random.pick(this.#clients)])]
    chosen.sort((left, right) => (random.chance(0.98) ? right - left : left - right))
    const sections = chosen.slice(random.chance(0.05) ? 1 : 0).map((client) => {
      const known = this.#index.clockOf(client)
      const clock = random.chance(0.7) ? known : Math.max(0, known + random.below(5) - 3)
      const structs: ForgedStruct[] = []
      let next = clock
      for (let count = 1 + random.below(5); count > 0; count--) {
        const [struct, length] = this.#struct(client, next)
        structs.push(struct)
        next += length
      }
      return { client, clock, structs }
    })
    const deletes: [number, Id[]][] = []
    for (let count = random.below(3); count > 0; count--) {
      const client = random.pick([...chosen, ...this.#clients])
      const ranges: Id[] = []
      for (let more = 1 + random.below(3); more > 0; more--)
        ranges.push([random.below(this.#index.clockOf(client) + 3), 1 + random.below(4)])
      deletes.push([client, ranges])
    }
    return forge({ sections, deletes })
  }

  #struct(client: number, clock: number): [ForgedStruct, number] {
    const random = this.#random
    const length = 1 + random.below(3)
    if (random.chance(0.1)) return [{ gc: length }, length]
    if (random.chance(0.03)) return [{ skip: length }, length]
    const place = this.#place(client, clock)
    const choices: (() => [ForgedStruct, number])[] = [
      () => [textItem('x'.repeat(length), place), length],
      () => [textItem('🙂', place), 2],
      () => [
        anyItem(
          Array.from({ length }, () => ({ n: 1 })),
          place,
        ),
        length,
      ],
      () => [deletedItem(length, place), length],
      () => [typeItem(random.pick([0, 1, 2, 4, 6]), place), 1],
      () => [{ ref: 6, content: concat(stringBytes('bold'), stringBytes('true')), ...place }, 1],
      () => [{ ref: 5, content: stringBytes('{"a":1}'), ...place }, 1],
      () => [{ ref: 9, content: concat(stringBytes('guid'), Uint8Array.of(118, 0)), ...place }, 1],
      () => [{ ref: 3, content: Uint8Array.of(2, 1, 2), ...place }, 1],
      () => [{ ref: 2, content: concat(Uint8Array.of(1), stringBytes('undefined')), ...place }, 1],
    ]
    return random.pick(choices)()
  }

  #place(client: number, clock: number): Partial<ForgedItem> {
    const random = this.#random
    const place: { -readonly [Key in keyof ForgedItem]?: ForgedItem[Key] } = {}
    if (random.chance(0.5)) place.origin = this.#reference(client, clock)
    if (random.chance(0.3)) place.rightOrigin = this.#reference(client, clock)
    if (random.chance(0.5)) place.parent = random.pick(['t', 'm', 'a', 'x', 'new'])
    else if (this.#types.length > 0 && random.chance(0.7)) place.parent = random.pick(this.#types)
    else place.parent = this.#reference(client, clock)
    if (random.chance(0.3)) place.parentSub = random.pick(['k', 'l', 'z'])
    return place
  }

  #reference(client: number, clock: number): Id {
    const random = this.#random
    if (clock > 0 && random.chance(0.4))
      return [client, clock - 1 - random.below(Math.min(clock, 4))]
    const other = random.pick(this.#clients)
    const known = this.#index.clockOf(other)
    const reach = random.chance(0.1) ? known + 4 : Math.max(known, 1)
    return [other, other === client && clock > 0 ? random.below(clock) : random.below(reach)]
  }
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]))
}
