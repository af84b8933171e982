import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { tempDirectory } from '../support/temp-directory.ts'
import type { Summary } from './campaign.ts'

/** How often a server is killed here; docs/testing.md tells how to run a long campaign. */
const KILLS = Number(process.env['KILLS'] ?? 40)
// Node 20 runs no TypeScript: the campaign runs as it is built.
const MAIN = fileURLToPath(new URL('../../dist/test/kill-campaign/main.js', import.meta.url))

async function runCampaign(...args: string[]): Promise<{ code: number; summary: Summary }> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part))
  const [code] = (await once(child, 'close')) as [number]
  return { code, summary: JSON.parse(text) as Summary }
}

describe('a killed server', () => {
  test(
    `T4 T5 T6 T7 T9 [ACK1] [RELAY1] ${KILLS} times SIGKILL, and SIGTERM: nothing acknowledged or seen is missing, documents are whole`,
    async () => {
      const directory = join(await tempDirectory(), 'data')
      const { code, summary } = await runCampaign(
        ...['--kills', String(KILLS), '--directory', directory],
      )
      expect(summary.faults).toEqual([])
      expect(code).toBe(0)
      const { counts } = summary
      expect(counts['kills']).toBeGreaterThanOrEqual(KILLS)
      // That it looked at something: each of these would be 0 for a campaign that does nothing.
      expect(counts['acknowledgedChecked']).toBeGreaterThan(KILLS)
      expect(counts['seenChecked']).toBeGreaterThan(0)
      expect(counts['killsInCompaction']).toBeGreaterThan(0)
      // Every episode ends with a SIGTERM or two.
      expect(counts['sigterms']).toBeGreaterThan(0)
    },
    240_000 + KILLS * 5000,
  )
})
