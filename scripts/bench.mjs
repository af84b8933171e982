// `npm run bench -- F --n 200`: builds the product, installs the peers where they are missing, and measures. `all` takes every scenario.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const ALL = ['S', 'G', 'M', 'J', 'I', 'D', 'L', 'F', 'O', 'R']
/** Smoke runs ask what arrives, not how fast, and mostly wait: so many scenarios at the same time. */
const SMOKE_LANES = 3

function run(command, ...args) {
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

run('npx', 'tsc', '-b', 'src', 'client')
for (const folder of ['benchmarks', 'benchmarks/y-websocket-server'])
  if (!existsSync(`${root}/${folder}/node_modules`)) {
    process.stdout.write(`installing ${folder} (compiles SQLite: a minute or two)\n`)
    run('npm', 'ci', '--no-audit', '--no-fund', '--loglevel', 'error', '--prefix', folder)
  }
const [scenario, ...rest] = process.argv.slice(2)
if (scenario !== 'all') run(process.execPath, 'benchmarks/bench.mjs', scenario ?? '', ...rest)
else if (rest.includes('--smoke')) await smokeAll()
else for (const letter of ALL) run(process.execPath, 'benchmarks/bench.mjs', letter, ...rest)

async function smokeAll() {
  const waiting = [...ALL]
  const lane = async () => {
    for (let letter = waiting.shift(); letter !== undefined; letter = waiting.shift())
      await smoke(letter)
  }
  await Promise.all(Array.from({ length: SMOKE_LANES }, lane))
}

/** Its output is shown when it is over, so that those of several scenarios do not mix. */
async function smoke(letter) {
  const scenario = spawn(process.execPath, ['benchmarks/bench.mjs', letter, ...rest], { cwd: root })
  const exited = new Promise((resolve, reject) => {
    scenario.on('error', reject)
    scenario.on('close', resolve)
  })
  const [output, errors, code] = await Promise.all([
    text(scenario.stdout),
    text(scenario.stderr),
    exited,
  ])
  process.stdout.write(`${output}\n`)
  process.stderr.write(errors)
  if (code !== 0) process.exitCode = 1
}
