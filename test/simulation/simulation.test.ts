import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { run } from './run.ts'
import { storyOf, tell, type Story } from './story.ts'

/** A few fresh seeds in every run; `npm run simulate` plays many. */
const SEEDS = Number(process.env['SIMULATION_SEEDS'] ?? 150)
const FIRST_SEED = Number(process.env['SIMULATION_FIRST'] ?? Math.floor(Math.random() * 2 ** 30))

const FOUND = new URL('found/', import.meta.url)

describe('simulation', () => {
  test(
    `T1 T2 T3 T4 T6 T8 T12 T13 T14 T17 T25 T26 T29 T40 T41 [ACK1] [RELAY1] nothing is lost and nobody diverges, seeds ${FIRST_SEED} to ${FIRST_SEED + SEEDS - 1}`,
    { timeout: 240_000 + SEEDS * 2000 },
    async () => {
      let saved = 0
      for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
        const result = await run(storyOf(seed))
        expect(result.faults, `seed ${seed}\n${tell(storyOf(seed))}`).toEqual([])
        saved += result.saved
      }
      // A simulation in which nothing happens would keep every promise.
      expect(saved).toBeGreaterThan(SEEDS)
    },
  )

  test('a seed is one story, to the last event', async () => {
    for (const seed of [1, 7, 62])
      expect((await run(storyOf(seed))).trace).toBe((await run(storyOf(seed))).trace)
  })

  for (const file of readdirSync(FOUND))
    test(`found: ${file.replace('.json', '').replaceAll('-', ' ')}`, async () => {
      const story = JSON.parse(readFileSync(new URL(file, FOUND), 'utf8')) as Story
      expect((await run(story)).faults, tell(story)).toEqual([])
    })
})
