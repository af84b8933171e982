import { execFileSync, fork, type ChildProcess } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Order, Report } from './lane.ts'

/** `npm run simulate -- --seeds 100000`: plays stories in several processes, and says what went wrong. */

const SEEDS_PER_ORDER = 25
const PROGRESS_MS = 5000
/** The longest story takes some seconds. A lane that says nothing for this long hangs; shrinking may take longer. */
const SILENCE_MS = 10 * 60_000

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    first: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 30)) },
    lanes: { type: 'string', default: String(availableParallelism()) },
    found: { type: 'string', default: 'simulation-found' },
    'no-shrink': { type: 'boolean', default: false },
  },
})
const firstSeed = Number(values.first)
const seeds = Number(values.seeds)
const lanes = Math.max(1, Number(values.lanes))
const isShrinking = !values['no-shrink']
const startedAt = Date.now()
const total = { seeds: 0, events: 0, joins: 0, saved: 0, relayed: 0 }
const failed: number[] = []
let nextSeed = firstSeed
let lanesAtWork = 0

say(`seeds ${firstSeed} to ${firstSeed + seeds - 1} in ${lanes} processes`)
const progress = setInterval(() => say(describe()), PROGRESS_MS)
for (let lane = 0; lane < lanes; lane++) startLane()

function startLane(): void {
  if (nextSeed >= firstSeed + seeds) return
  lanesAtWork++
  const lane = fork(new URL('lane.js', import.meta.url))
  let lastSeed = nextSeed - 1
  const listen = (): NodeJS.Timeout =>
    setTimeout(() => {
      fail(lastSeed + 1, [`nothing was heard of it for ${SILENCE_MS / 60_000} minutes`])
      lane.kill('SIGKILL')
    }, SILENCE_MS)
  let silence = listen()
  lane.on('message', (report: Report) => {
    clearTimeout(silence)
    silence = listen()
    lastSeed = report.seed
    count(report)
    if (report.isLast && !order(lane)) lane.disconnect()
  })
  lane.on('exit', (code) => {
    clearTimeout(silence)
    lanesAtWork--
    if (code !== 0 && code !== null) fail(lastSeed + 1, [`the process ended with code ${code}`])
    if (code !== 0) startLane()
    if (lanesAtWork === 0) finish()
  })
  order(lane)
}

function order(lane: ChildProcess): boolean {
  const left = firstSeed + seeds - nextSeed
  if (left <= 0) return false
  const request: Order = {
    firstSeed: nextSeed,
    seeds: Math.min(left, SEEDS_PER_ORDER),
    isShrinking,
  }
  nextSeed += request.seeds
  lane.send(request)
  return true
}

function count(report: Report): void {
  total.seeds++
  for (const name of ['events', 'joins', 'saved', 'relayed'] as const) total[name] += report[name]
  if (report.faults.length === 0) return
  fail(report.seed, report.faults)
  if (report.short === null) return
  say(report.short.told)
  mkdirSync(values.found, { recursive: true })
  const file = join(values.found, `seed-${report.seed}.json`)
  writeFileSync(file, `${JSON.stringify(report.short.story, null, 2)}\n`)
  say(`kept as ${file}`)
}

function fail(seed: number, faults: readonly string[]): void {
  failed.push(seed)
  say(`seed ${seed} goes wrong:\n${faults.join('\n')}`)
}

function describe(): string {
  const seconds = (Date.now() - startedAt) / 1000
  const rate = total.seeds / seconds
  const left = rate === 0 ? '?' : Math.ceil((seeds - total.seeds) / rate / 60)
  return `${total.seeds} of ${seeds} seeds, ${rate.toFixed(1)}/s, ${failed.length} wrong, about ${left} min left`
}

function finish(): void {
  clearInterval(progress)
  const seconds = Math.round((Date.now() - startedAt) / 1000)
  const summary = { commit: commit(), firstSeed, ...total, seconds, lanes, failed }
  say(JSON.stringify(summary))
  process.exitCode = failed.length === 0 && total.seeds === seeds ? 0 : 1
}

function commit(): string {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8' }).trim()
  } catch {
    return 'unknown'
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
