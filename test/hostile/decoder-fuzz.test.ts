import { randomInt } from 'node:crypto'
import { expect, test } from 'vitest'
import { DecoderFuzz } from './decoder-fuzz.ts'
import { liveBytes } from '../support/live-bytes.ts'

/** CI tries as many as take a second; `npm run fuzz -- --decoders 10000000` is the campaign. */
const DECODER_RUNS = Number(process.env['DECODER_RUNS'] ?? 20_000)
const FUZZ_SEED = Number(process.env['FUZZ_SEED'] ?? randomInt(2 ** 31))
const CASES_PER_DOCUMENT = 2000
const PROGRESS_EVERY = 500_000
const MIB = 1024 * 1024

test(
  'T30 T31 T32 T33 T34 T43 [LOG2] [REQ3] whatever the decoders of strangers’ bytes accept, Yjs takes; the rest is refused, in bounded memory',
  { timeout: 240_000 + DECODER_RUNS * 5 },
  () => {
    const counts = new Map<string, number>()
    const begun = process.cpuUsage()
    let before = 0
    let cases = 0
    const told = (): string => {
      const { user, system } = process.cpuUsage(begun)
      const seconds = (user + system) / 1e6
      return `${cases} cases from seed ${FUZZ_SEED}, ${Math.round(cases / seconds)} a second of processor time`
    }
    for (let seed = FUZZ_SEED; cases < DECODER_RUNS; seed++) {
      const fuzz = new DecoderFuzz(seed)
      try {
        fuzz.run(CASES_PER_DOCUMENT)
      } catch (error) {
        throw new Error(`FUZZ_SEED=${seed} DECODER_RUNS=1`, { cause: error })
      }
      cases += CASES_PER_DOCUMENT
      for (const [what, count] of fuzz.counts) counts.set(what, (counts.get(what) ?? 0) + count)
      if (seed === FUZZ_SEED + 4) before = liveBytes()
      if (cases % PROGRESS_EVERY === 0) process.stdout.write(`${told()}\n`)
    }
    const grown = before === 0 ? 0 : liveBytes() - before
    process.stdout.write(
      `${told()}, ${(grown / MIB).toFixed(1)} MiB more alive\n${[...counts]
        .sort(([left], [right]) => (left < right ? -1 : 1))
        .map(([what, count]) => `  ${what} ${count}\n`)
        .join('')}`,
    )
    expect(grown).toBeLessThan(64 * MIB)
    // It would prove little if nothing passed, or nothing was refused.
    if (cases < 10_000) return
    for (const kind of ['scan', 'state vector', 'JSON'])
      for (const verdict of ['valid', 'malformed'])
        expect(counts.get(`${kind}: ${verdict}`) ?? 0, `${kind}: ${verdict}`).toBeGreaterThan(cases / 1000) // prettier-ignore
    expect(counts.get('scan: missing-dependencies') ?? 0).toBeGreaterThan(cases / 1000)
  },
)
