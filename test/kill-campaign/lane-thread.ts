// One lane in a thread of its own: what one lane verifies does not hold up what the other one is loading.
import { parentPort, workerData } from 'node:worker_threads'
import { runLane } from './lane.ts'
import type { FaultReport, Tally } from './tally.ts'

export interface LaneThreadData {
  readonly seed: string
  readonly lane: number
  readonly firstEpisode: number
  readonly directory: string
  readonly script: string
  /** One number, 1 when the campaign is to end. */
  readonly stop: Int32Array
}

export type LaneSays =
  | { readonly kind: 'round'; readonly tally: Tally; readonly nextEpisode: number }
  | { readonly kind: 'fault'; readonly report: FaultReport }

const { stop, ...options } = workerData as LaneThreadData
const say = (said: LaneSays): void => parentPort?.postMessage(said)

await runLane({
  ...options,
  isDone: () => Atomics.load(stop, 0) === 1,
  handleRound: (tally, nextEpisode) => say({ kind: 'round', tally, nextEpisode }),
  handleFault: (report) => say({ kind: 'fault', report }),
})
