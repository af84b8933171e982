import { FewMap } from '../few-map.ts'

/**
 * Where a struct hangs in its document, in one number: twice the number of types around it, plus one under the key of
 * a map. What hangs in a root's list is 0. Garbage has no place; it counts as 0, and nothing can live there.
 */
export type Place = number

export const ROOT_LIST: Place = 0

/** The place of what names a struct at `parent` as the type that it is in. */
export function placeInside(parent: Place, isUnderKey: boolean): Place {
  return (Math.floor(parent / 2) + 1) * 2 + (isUnderKey ? 1 : 0)
}

export function placeInRoot(isUnderKey: boolean): Place {
  return isUnderKey ? 1 : ROOT_LIST
}

export function isUnderKey(place: Place): boolean {
  return place % 2 === 1
}

/** How many types are around a struct. */
export function nestingOf(place: Place): number {
  return Math.floor(place / 2)
}

/** From this clock of the client up to its next run, or the end of what is known of it, everything has this place. */
export interface PlaceRun {
  readonly client: number
  readonly from: number
  readonly place: Place
}

/** An entry in a Map with two arrays. */
const CLIENT_BYTES = 150
/** Two numbers, with the slack of growing arrays. */
const RUN_BYTES = 24

interface Runs {
  readonly starts: number[]
  readonly places: Place[]
}

/**
 * The places of a document's structs, by client and clock. A struct that hangs on a neighbour says nothing of its
 * parent; with this, its parent's depth and whether it is the value of a key are known without a Y.Doc.
 * Neighbouring clocks mostly share a place: a text takes nothing, a paragraph of an editor a few numbers.
 */
export class StructPlaces {
  readonly #runs = new FewMap<number, Runs>()

  placeOf(client: number, clock: number): Place {
    const runs = this.#runs.get(client)
    return runs === undefined ? ROOT_LIST : (runs.places[lastUpTo(runs.starts, clock)] ?? ROOT_LIST)
  }

  /** Takes in a run behind those of its client. What it held from that clock on, an update that was never written, goes. */
  append({ client, from, place }: PlaceRun): void {
    let runs = this.#runs.get(client)
    if (runs === undefined) {
      if (place === ROOT_LIST) return
      this.#runs.set(client, (runs = { starts: [], places: [] }))
    }
    while ((runs.starts.at(-1) ?? -1) >= from) {
      runs.starts.pop()
      runs.places.pop()
    }
    if ((runs.places.at(-1) ?? ROOT_LIST) === place) return
    runs.starts.push(from)
    runs.places.push(place)
  }

  clone(): StructPlaces {
    const copy = new StructPlaces()
    for (const [client, { starts, places }] of this.#runs)
      copy.#runs.set(client, { starts: [...starts], places: [...places] })
    return copy
  }

  get byteSize(): number {
    let bytes = 0
    for (const { starts } of this.#runs.values()) bytes += CLIENT_BYTES + starts.length * RUN_BYTES
    return bytes
  }

  /** For writing: each client with the clocks at which its runs begin, and their places. */
  *clients(): Generator<readonly [client: number, starts: readonly number[], places: Place[]]> {
    for (const [client, { starts, places }] of this.#runs)
      if (starts.length > 0) yield [client, starts, places]
  }
}

/** The index of the last start that is not above this clock, or -1. */
export function lastUpTo(starts: readonly number[], clock: number): number {
  let low = 0
  let high = starts.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((starts[middle] as number) <= clock) low = middle + 1
    else high = middle
  }
  return low - 1
}
