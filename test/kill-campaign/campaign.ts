import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { dirname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { bundleServer } from './bundle.ts'
import type { LaneSays, LaneThreadData } from './lane-thread.ts'
import { addTally, type FaultReport, type Tally } from './tally.ts'

export interface CampaignOptions {
  readonly seed: string
  readonly kills: number
  readonly lanes: number
  /** For the data directories; on a real disk. */
  readonly directory: string
  /** A file from which an interrupted campaign goes on, and where it is kept; null: nowhere. */
  readonly stateFile: string | null
  /** Called every few seconds, and at the end. */
  readonly handleProgress: (line: string) => void
}

/** What is known of a campaign, as it is kept in the state file and told at the end. */
export interface Summary {
  readonly seed: string
  readonly commit: string
  readonly node: string
  readonly cores: number
  readonly lanes: number
  seconds: number
  killsPerSecond: number
  counts: Tally
  faults: FaultReport[]
  /** By lane: where a resumed campaign begins. */
  nextEpisodes: number[]
}

const PROGRESS_MS = 5000
/** What is broken is known by then. */
const MAX_FAULTS = 10

export async function runCampaign(options: CampaignOptions): Promise<Summary> {
  const summary = readState(options) ?? newSummary(options)
  const script = await bundleServer()
  const secondsBefore = summary.seconds
  const startedAt = performance.now()
  const stop = new Int32Array(new SharedArrayBuffer(4))
  mkdirSync(options.directory, { recursive: true })

  const killed = (): number => summary.counts['kills'] ?? 0
  const checkDone = (): void => {
    if (killed() >= options.kills || summary.faults.length >= MAX_FAULTS) Atomics.store(stop, 0, 1)
  }
  const update = (): void => {
    summary.seconds = Math.round(secondsBefore + (performance.now() - startedAt) / 1000)
    summary.killsPerSecond = Number((killed() / Math.max(1, summary.seconds)).toFixed(2))
    if (options.stateFile !== null)
      writeFileSync(options.stateFile, `${JSON.stringify(summary, null, 2)}\n`)
    options.handleProgress(progressLine(summary, options.kills))
  }
  const handle = (lane: number, said: LaneSays): void => {
    if (said.kind === 'fault') summary.faults.push({ ...said.report, afterKills: killed() })
    else {
      addTally(summary.counts, said.tally)
      summary.nextEpisodes[lane] = said.nextEpisode
    }
    checkDone()
  }
  checkDone()
  const progress = setInterval(update, PROGRESS_MS)
  try {
    await Promise.all(
      Array.from({ length: options.lanes }, (_, lane) =>
        runThread(
          {
            seed: options.seed,
            lane,
            firstEpisode: summary.nextEpisodes[lane] ?? 0,
            directory: options.directory,
            script,
            stop,
          },
          (said) => handle(lane, said),
        ),
      ),
    )
  } finally {
    clearInterval(progress)
    rmSync(dirname(script), { recursive: true, force: true })
    update()
  }
  return summary
}

function runThread(
  workerData: LaneThreadData,
  handleMessage: (said: LaneSays) => void,
): Promise<void> {
  const thread = new Worker(new URL('./lane-thread.js', import.meta.url), { workerData })
  return new Promise((resolve, reject) => {
    thread.on('message', handleMessage)
    thread.once('error', reject)
    thread.once('exit', () => resolve())
  })
}

function newSummary({ seed, lanes }: CampaignOptions): Summary {
  return {
    seed,
    commit: commit(),
    node: process.version,
    cores: cpus().length,
    lanes,
    seconds: 0,
    killsPerSecond: 0,
    counts: {},
    faults: [],
    nextEpisodes: [],
  }
}

function readState({ stateFile, seed }: CampaignOptions): Summary | null {
  if (stateFile === null || !existsSync(stateFile)) return null
  const summary = JSON.parse(readFileSync(stateFile, 'utf8')) as Summary
  if (summary.seed !== seed || summary.commit !== commit())
    throw new Error(`${stateFile} is of another campaign: seed ${summary.seed}, ${summary.commit}`)
  return summary
}

function commit(): string {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { encoding: 'utf8', cwd: import.meta.dirname }).trim()
  try {
    return git('rev-parse', 'HEAD') + (git('status', '--porcelain') === '' ? '' : ' and changes')
  } catch {
    return 'unknown'
  }
}

function progressLine({ counts, killsPerSecond, faults }: Summary, kills: number): string {
  const number = (name: string): number => counts[name] ?? 0
  return [
    `${number('kills')}/${kills} kills`,
    `${killsPerSecond}/s`,
    `acknowledged ${number('acknowledgedChecked')}`,
    `seen ${number('seenChecked')}`,
    `in compaction ${number('killsInCompaction')}`,
    `SIGTERM ${number('sigterms')}`,
    `faults ${faults.length}`,
  ].join(', ')
}
