import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { runCampaign } from './campaign.ts'

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '200' },
    lanes: { type: 'string', default: '2' },
    seed: { type: 'string' },
    resume: { type: 'string' },
    directory: { type: 'string' },
    summary: { type: 'string' },
  },
})
const stateFile = values.resume === undefined ? null : resolve(values.resume)
const seed = values.seed ?? seedOf(stateFile) ?? randomBytes(4).toString('hex')
const directory = resolve(values.directory ?? join(tmpdir(), `y-rooms-kill-campaign-${seed}`))

/** Beside the summary, which alone goes to standard output. */
function say(line: string): void {
  process.stderr.write(`${line}\n`)
}

function seedOf(file: string | null): string | undefined {
  if (file === null || !existsSync(file)) return undefined
  return (JSON.parse(readFileSync(file, 'utf8')) as { seed: string }).seed
}

function wholeNumber(name: 'kills' | 'lanes', min: number): number {
  const number = Number(values[name])
  if (Number.isInteger(number) && number >= min) return number
  say(`--${name} is ${values[name]}; it must be a whole number from ${min} on`)
  process.exit(2)
}

say(`seed ${seed}, data in ${directory}`)
const summary = await runCampaign({
  seed,
  kills: wholeNumber('kills', 1),
  lanes: wholeNumber('lanes', 1),
  directory,
  stateFile,
  handleProgress: say,
})
const text = `${JSON.stringify(summary, null, 2)}\n`
if (values.summary !== undefined) writeFileSync(values.summary, text)
process.stdout.write(text)
process.exitCode = summary.faults.length === 0 ? 0 : 1
