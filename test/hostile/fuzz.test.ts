import { randomInt } from 'node:crypto'
import { expect, test } from 'vitest'
import { FuzzScene, type Tally } from './fuzz-scene.ts'
import { liveBytes } from '../support/live-bytes.ts'

/** CI tries a few thousand requests; `npm run fuzz -- --runs 500000` is for a night or a change of what is checked. */
const FUZZ_RUNS = Number(process.env['FUZZ_RUNS'] ?? 4000)
const FUZZ_SEED = Number(process.env['FUZZ_SEED'] ?? randomInt(2 ** 31))
const CASES_PER_SCENE = 60
/** About a millisecond a request here, twenty times that on a slow machine. */
const TIMEOUT_MS = 240_000 + FUZZ_RUNS * 20
const MIB = 1024 * 1024

test(
  'T27 T30 T31 T32 T33 T34 T42 [REQ1] [REQ3] [LOG2] whatever is sent in whatever order: coded answers, whole documents, bounded memory',
  { timeout: TIMEOUT_MS },
  async () => {
    const failures: unknown[] = []
    const keep = (error: unknown): number => failures.push(error)
    process.on('unhandledRejection', keep)
    const tally: Tally = { cases: 0, answers: new Map(), accepted: 0 }
    let before = 0
    for (let seed = FUZZ_SEED; tally.cases < FUZZ_RUNS; seed++) {
      try {
        await new FuzzScene(seed, tally).run(CASES_PER_SCENE)
        if (failures.length > 0)
          throw new Error('nobody caught a rejection', { cause: failures[0] })
      } catch (error) {
        throw new Error(`FUZZ_SEED=${seed} FUZZ_RUNS=1`, { cause: error })
      }
      // The first scenes bring the code and its shapes into memory.
      if (seed === FUZZ_SEED + 9) before = liveBytes()
    }
    process.off('unhandledRejection', keep)
    const grown = before === 0 ? 0 : liveBytes() - before
    process.stdout.write(
      `${tally.cases} requests from seed ${FUZZ_SEED}, ${tally.accepted} relays, ` +
        `${(grown / MIB).toFixed(1)} MiB more alive\n` +
        [...tally.answers].sort(([left], [right]) => (left < right ? -1 : 1)).map(([key, count]) => `  ${key} ${count}`).join('\n') + '\n', // prettier-ignore
    )
    expect(grown).toBeLessThan(64 * MIB)
    // It would prove little if nothing passed, or nothing was refused.
    if (FUZZ_RUNS < 2000) return
    expect(tally.accepted).toBeGreaterThan(FUZZ_RUNS / 50)
    for (const code of [
      'malformed-update',
      'missing-dependencies',
      'malformed-request',
      'not-joined',
    ])
      expect(
        [...tally.answers.keys()].some((key) => key.endsWith(code)),
        code,
      ).toBe(true)
  },
)
