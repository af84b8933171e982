import type { FaultKind } from './fault.ts'

export interface FaultReport {
  readonly kind: FaultKind
  readonly message: string
  /** Seed, lane and number of the episode: what decides all that it does. */
  readonly episode: string
  readonly round: number
  readonly plan: unknown
  readonly directory: string
  /** How many kills the campaign had counted by then. */
  readonly afterKills?: number
}

/** What a campaign has counted; numbers by name, so that lanes and resumed runs add up. */
export type Tally = Record<string, number>

export function count(tally: Tally, name: string, by = 1): void {
  tally[name] = (tally[name] ?? 0) + by
}

export function addTally(sum: Tally, part: Tally): void {
  for (const [name, number] of Object.entries(part)) count(sum, name, number)
}
