import { lastUpTo, placeInside, type Place, type PlaceRun } from './struct-places.ts'

/** What a struct says of its place: known already, or that of another struct, or inside another struct. */
export type PlaceClaim =
  | { readonly kind: 'known'; readonly place: Place }
  | { readonly kind: 'beside'; readonly client: number; readonly clock: number }
  | {
      readonly kind: 'inside'
      readonly client: number
      readonly clock: number
      readonly isUnderKey: boolean
    }

/** What the document has, of which a claim may speak. */
interface DocumentPlaces {
  /** The first clock of this client that it does not have. */
  clockOf(client: number): number
  placeOf(client: number, clock: number): Place
}

const UNKNOWN = -1
const NO_PLACES: Place[] = []

interface SectionRuns {
  readonly client: number
  readonly starts: number[]
  /** Indexes into the runs of the whole scan. */
  readonly runs: number[]
}

/**
 * The places of the new structs of one update while it is read. A struct may hang on one of a client that comes later in
 * the bytes; its place is found at the end. Each struct adds at most one run.
 */
export class ScannedPlaces {
  readonly #document: DocumentPlaces
  #places: Place[] = NO_PLACES
  /** The claim of a run whose place is not known yet. */
  #claims: Map<number, PlaceClaim> | null = null
  /** Without the one being read. A keystroke has no other, and one scan in a thousand is of more. */
  #sections: Map<number, SectionRuns> | null = null
  #section: SectionRuns | null = null

  constructor(document: DocumentPlaces) {
    this.#document = document
  }

  /** The number of the run that a new struct from this clock on belongs to. Clocks of a client come in order. */
  add(client: number, from: number, claim: PlaceClaim): number {
    const place = this.#find(claim)
    const section = this.#section
    if (section?.client !== client) {
      const run = this.#addRun(place, claim)
      this.#begin({ client, starts: [from], runs: [run] })
      return run
    }
    const { starts, runs } = section
    const last = runs.at(-1)
    if (last !== undefined && place !== UNKNOWN && this.#places[last] === place) return last
    const run = this.#addRun(place, claim)
    starts.push(from)
    runs.push(run)
    return run
  }

  #begin(section: SectionRuns): void {
    if (this.#section !== null) {
      this.#sections ??= new Map()
      this.#sections.set(this.#section.client, this.#section)
    }
    this.#section = section
  }

  #addRun(place: Place, claim: PlaceClaim): number {
    const run = this.#places.length
    // A literal has room for what it holds, and most updates have one run.
    if (run === 0) this.#places = [place]
    else this.#places.push(place)
    if (place === UNKNOWN) (this.#claims ??= new Map()).set(run, claim)
    return run
  }

  /** The place of a run, or -1 while it hangs on a struct that was not read yet. */
  placeOfRun(run: number): Place {
    return this.#places[run] as Place
  }

  /** Finds what is open. Everything referred to is there, and nothing refers to itself in a circle. */
  settle(): void {
    const claims = this.#claims
    if (claims === null) return
    for (const open of claims.keys()) {
      // By a list of its own, not by recursion: chains are as long as an update.
      const chain = [open]
      while (chain.length > 0) {
        const run = chain.at(-1) as number
        const claim = claims.get(run) as PlaceClaim
        const place = this.#places[run] === UNKNOWN ? this.#find(claim) : this.placeOfRun(run)
        if (place !== UNKNOWN) {
          this.#places[run] = place
          chain.pop()
        } else {
          chain.push(this.#runOf(claim))
        }
      }
    }
  }

  /** All runs, those of each client in the order of their clocks. Only when settled. */
  all(): PlaceRun[] {
    if (this.#section === null) return []
    if (this.#places.length === 1) {
      const { client, starts } = this.#section
      return [{ client, from: starts[0] as number, place: this.placeOfRun(0) }]
    }
    const all: PlaceRun[] = []
    for (const section of this.#sections?.values() ?? []) this.#addRuns(section, all)
    this.#addRuns(this.#section, all)
    return all
  }

  #addRuns({ client, starts, runs }: SectionRuns, all: PlaceRun[]): void {
    for (let position = 0; position < runs.length; position++)
      all.push({
        client,
        from: starts[position] as number,
        place: this.placeOfRun(runs[position] as number),
      })
  }

  #find(claim: PlaceClaim): Place {
    if (claim.kind === 'known') return claim.place
    const { client, clock } = claim
    let place: Place
    if (clock < this.#document.clockOf(client)) place = this.#document.placeOf(client, clock)
    else {
      const run = this.#runOf(claim)
      place = run < 0 ? UNKNOWN : this.placeOfRun(run)
    }
    if (place === UNKNOWN || claim.kind === 'beside') return place
    return placeInside(place, claim.isUnderKey)
  }

  /** The run of this update that a claim refers to, or -1 before it was read. */
  #runOf(claim: PlaceClaim): number {
    if (claim.kind === 'known') return -1
    const section =
      this.#section?.client === claim.client ? this.#section : this.#sections?.get(claim.client)
    if (section === undefined) return -1
    return section.runs[lastUpTo(section.starts, claim.clock)] ?? -1
  }
}
