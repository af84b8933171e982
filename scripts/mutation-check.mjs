// `npm run mutation-check`: breaks a copy of the repository in one place after the other, and expects tests to fail.
//
//   npm run mutation-check                   all of scripts/mutations.mjs
//   npm run mutation-check -- outbox epoch   those with these words in their names
//   npm run mutation-check -- --texts        only whether every text to replace is there, exactly once
//   npm run mutation-check -- --seeds 2000   in addition, whether that many seeds of the simulation notice
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { root } from './build.mjs'
import { MUTATIONS } from './mutations.mjs'

const { values: options, positionals: words } = parseArgs({
  allowPositionals: true,
  options: { texts: { type: 'boolean' }, seeds: { type: 'string' } },
})
const seeds = options.seeds === undefined ? null : Number(options.seeds)
/** Browsers are slow to start, and none of this is theirs to find. */
const EVERYTHING = ['test', '--exclude', 'test/browser/**']
/** A mutant may wait for ever for what no longer comes. */
const RUN_TIMEOUT_MS = 300_000

const chosen = MUTATIONS.filter(({ name }) =>
  words.length === 0 ? true : words.some((word) => name.includes(word)),
)
const wrong = chosen.filter(({ file, search }) => occurrences(root, file, search) !== 1)
for (const { name, file, search } of wrong)
  console.error(`${name}: found ${occurrences(root, file, search)} times in ${file}, not once`)
if (wrong.length > 0 || chosen.length === 0) process.exit(1)
if (options.texts) {
  console.log(`${chosen.length} mutations, each with a text that is there exactly once`)
  process.exit(0)
}

const copy = makeCopy()
let survivors = 0
try {
  console.log('without a mutation …')
  await build()
  const named = [...new Set(chosen.flatMap(({ tests }) => tests))]
  // Twice before giving up: on a machine with other work a test may run out of time.
  let broken = await failingTests(named)
  if (broken.length > 0) broken = await failingTests(named)
  if (broken.length > 0) throw new Error(`tests fail without any mutation:\n${broken.join('\n')}`)

  console.log('| mutation | caught by | seconds |\n| --- | --- | --- |')
  for (const mutation of chosen) {
    const startedAt = Date.now()
    const catches = await withMutation(mutation, () => whatCatches(mutation))
    const seconds = Math.round((Date.now() - startedAt) / 1000)
    if (catches.length === 0) survivors++
    const by = catches.length === 0 ? '**nothing**' : summary(catches)
    console.log(`| ${mutation.name} | ${by} | ${seconds} |`)
  }
} finally {
  rmSync(copy, { recursive: true, force: true })
}
console.log(`\n${chosen.length - survivors} of ${chosen.length} caught`)
process.exitCode = survivors > 0 ? 1 : 0

async function whatCatches(mutation) {
  await build()
  let catches = await failingTests(mutation.tests)
  if (catches.length === 0) catches = await failingTests(EVERYTHING)
  if (seeds !== null && simulationFails(mutation)) catches.push('simulation')
  return catches
}

/** The first two say enough; how many there were says how thick the net is. */
function summary(catches) {
  const rest = catches.length > 2 ? ` and ${catches.length - 2} more` : ''
  return catches.slice(0, 2).join('; ').replaceAll('|', '\\|') + rest
}

/** The tracked files as they are now, beside the installed packages of the original. */
function makeCopy() {
  const directory = mkdtempSync(join(tmpdir(), 'mutants-'))
  const { stdout } = spawnSync('git', ['ls-files', '-z', '-co', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  })
  for (const file of stdout.split('\0').filter((name) => name && existsSync(join(root, name))))
    cpSync(join(root, file), join(directory, file))
  symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'))
  return directory
}

async function withMutation({ file, search, replace }, use) {
  const path = join(copy, file)
  const original = readFileSync(path, 'utf8')
  writeFileSync(
    path,
    original.replace(search, () => replace),
  )
  try {
    return await use()
  } finally {
    writeFileSync(path, original)
  }
}

async function build() {
  const { status, output } = await run('tsc', ['-b', 'src', 'client'])
  // A mutant that the compiler catches says nothing about the tests.
  if (status !== 0) throw new Error(`it does not build:\n${output}`)
}

/** The titles of the tests that fail, or what vitest said when it failed without any. */
async function failingTests(tests) {
  const report = join(copy, 'report.json')
  rmSync(report, { force: true })
  const { status, isLate, output } = await run('vitest', [
    'run',
    ...tests,
    '--reporter=json',
    `--outputFile=${report}`,
    // What a mutant never does is not waited for as long as a slow machine may take.
    '--testTimeout=60000',
    '--expect.poll.timeout=15000',
  ])
  if (status === 0) return []
  if (isLate) return ['a loop without end']
  if (!existsSync(report)) return [`vitest ended with ${status}: ${output.slice(-200)}`]
  const titles = JSON.parse(readFileSync(report, 'utf8')).testResults.flatMap((file) =>
    file.assertionResults.filter((test) => test.status === 'failed').map((test) => test.title),
  )
  return titles.length > 0 ? titles : ['an error outside of tests']
}

function simulationFails({ name }) {
  const args = ['run', '--silent', 'simulate', '--', '--seeds', String(seeds)]
  const { status } = spawnSync('npm', args, { cwd: copy, stdio: 'ignore', timeout: RUN_TIMEOUT_MS })
  console.error(`simulation, ${name}: ${status === 0 ? 'not noticed' : 'noticed'}`)
  return status !== 0
}

/**
 * In a process group of its own, which is killed as a whole when it is over or out of time: a mutant may loop for ever, or leave
 * servers behind that it started.
 */
async function run(tool, args) {
  const child = spawn(join(root, 'node_modules/.bin', tool), args, {
    cwd: copy,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = []
  child.stdout.on('data', (part) => output.push(part))
  child.stderr.on('data', (part) => output.push(part))
  const killGroup = () => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    } catch {
      // Nobody of it is left.
    }
  }
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    killGroup()
  }, RUN_TIMEOUT_MS)
  const [status] = await once(child, 'exit')
  clearTimeout(timer)
  killGroup()
  return { status, isLate, output: Buffer.concat(output).toString() }
}

function occurrences(directory, file, search) {
  return readFileSync(join(directory, file), 'utf8').split(search).length - 1
}
