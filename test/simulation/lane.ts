import { run } from './run.ts'
import { shrink } from './shrink.ts'
import { storyOf, tell } from './story.ts'

/** What a lane is asked for, and what it reports after each seed. */
export interface Order {
  readonly firstSeed: number
  readonly seeds: number
  readonly isShrinking: boolean
}

export interface Report {
  readonly seed: number
  readonly events: number
  readonly joins: number
  readonly saved: number
  readonly relayed: number
  readonly faults: readonly string[]
  /** The shortest story found that goes wrong, for a person and for a test. */
  readonly short: { readonly told: string; readonly story: object } | null
  /** The last of its order. */
  readonly isLast: boolean
}

process.on('message', (order: Order) => void work(order))
process.on('disconnect', () => process.exit())

async function work({ firstSeed, seeds, isShrinking }: Order): Promise<void> {
  for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
    const { faults, events, joins, saved, relayed } = await run(storyOf(seed))
    const short = faults.length > 0 && isShrinking ? await shortest(seed) : null
    const isLast = seed === firstSeed + seeds - 1
    const report: Report = { seed, events, joins, saved, relayed, faults, short, isLast }
    process.send?.(report)
  }
}

async function shortest(seed: number): Promise<Report['short']> {
  const story = await shrink(
    storyOf(seed),
    async (candidate) => (await run(candidate)).faults.length > 0,
  )
  const { faults } = await run(story)
  return { told: `${tell(story)}\n${faults.join('\n')}`, story }
}
