import type { Place } from '../update/struct-places.ts'
import type { ClockRange, KnownStructs } from '../update/update-scan.ts'
import type { OpenDocument } from './open-document.ts'
import type { Staging } from './staging.ts'

/** What the disk has and what is on its way to it. */
export class AcceptedStructs implements KnownStructs {
  readonly #staging: Staging
  readonly #document: OpenDocument

  constructor(staging: Staging, document: OpenDocument) {
    this.#staging = staging
    this.#document = document
  }

  clockOf(client: number): number {
    return this.#staging.clockOf(client) ?? this.#document.index.clockOf(client)
  }

  placeOf(client: number, clock: number): Place {
    return this.#document.index.placeOf(client, clock)
  }

  longMapEntryCutBy(client: number, clock: number): ClockRange | null {
    return this.#document.index.longMapEntryCutBy(client, clock)
  }
}
