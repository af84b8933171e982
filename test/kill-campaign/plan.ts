import type { Random } from './random.ts'
import { COMPACTION_STEPS, type DeathOrder, type Step } from './steps.ts'

/** How a server's life ends. */
type Ending =
  | { readonly kind: 'timer'; readonly ms: number }
  /** At a step of its work; by the timer when it does not come to it. */
  | { readonly kind: 'step'; readonly order: DeathOrder; readonly ms: number }
  | { readonly kind: 'sigterm'; readonly ms: number }

/** A start that is not waited for. */
export interface BrokenStart {
  readonly order: DeathOrder | null
  readonly ms: number
}

/** What a round does, all from the seed. When it happens is real time. */
export interface RoundPlan {
  readonly brokenStarts: readonly BrokenStart[]
  readonly compactAfterEntries: number
  readonly compactAfterBytes: number
  readonly ending: Ending
  /** Edits that a writer may have on their way at a time. */
  readonly window: number
  /** The longest pause between two edits of a writer. */
  readonly pauseMs: number
  /** Large pastes among a writer's edits, in characters at most; 0: none. */
  readonly pasteCharacters: number
  readonly joins: boolean
  readonly writesOverHttp: boolean
  readonly compacts: boolean
  readonly deletes: boolean
}

/** A load that was not ended at its step is ended after this. */
const STEP_PATIENCE_MS = 500

export function planRound(random: Random): RoundPlan {
  const ending = planEnding(random)
  const isDelete = ending.kind === 'step' && ending.order.step === 'remove'
  // So that it comes to the step soon, again and again.
  const isFolding = ending.kind === 'step'
  const brokenStarts = random.chance(0.1)
    ? Array.from({ length: random.int(1, 2) }, () => planBrokenStart(random))
    : []
  return {
    brokenStarts,
    compactAfterEntries: random.pick(isFolding ? [4, 10] : [4, 10, 30, 100]),
    compactAfterBytes: random.pick([1024, 8 * 1024, 64 * 1024]),
    ending,
    window: random.pick([1, 2, 8, 32]),
    pauseMs: random.pick(isFolding ? [1, 4] : [0, 2, 8, 30]),
    pasteCharacters: random.chance(0.15) ? random.logInt(10_000, 400_000) : 0,
    joins: random.chance(0.3),
    writesOverHttp: random.chance(0.25),
    compacts: random.chance(0.2),
    deletes: isDelete || random.chance(0.08),
  }
}

function planEnding(random: Random): Ending {
  const which = random.next()
  if (which < 0.05) return { kind: 'sigterm', ms: random.logInt(5, 250) }
  if (which < 0.5) return { kind: 'timer', ms: random.logInt(3, 300) }
  const step: Step = random.chance(0.15)
    ? 'append'
    : random.chance(0.1)
      ? 'remove'
      : pickStep(random)
  return { kind: 'step', order: planDeath(random, step), ms: STEP_PATIENCE_MS }
}

function pickStep(random: Random): Step {
  return random.pick(COMPACTION_STEPS)
}

function planDeath(random: Random, step: Step): DeathOrder {
  const longest = step === 'fold' ? 80_000 : step === 'replace' || step === 'merge' ? 8000 : 1500
  return {
    step,
    count: step === 'append' ? random.int(1, 20) : step === 'sweep' ? random.int(1, 9) : 1,
    moment: random.pick(['before', 'during', 'during', 'after']),
    microseconds: random.int(0, longest),
  }
}

/** While the modules are loaded, while LevelDB recovers, or while leftovers are swept. */
function planBrokenStart(random: Random): BrokenStart {
  const step = random.pick(['open', 'open', 'sweep', 'unmark', null] as const)
  if (step === null) return { order: null, ms: random.int(20, 350) }
  // Opening takes a few milliseconds.
  const microseconds = random.int(0, step === 'open' ? 4000 : 1500)
  return { order: { ...planDeath(random, step), microseconds }, ms: 10_000 }
}
