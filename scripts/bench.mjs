// `npm run bench -- F --n 200`: builds the product, installs the peers where they are missing, and measures. `all` takes every scenario.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

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
const letters =
  scenario === 'all' ? ['F', 'O', 'J', 'M', 'I', 'S', 'D', 'L', 'R'] : [scenario ?? '']
for (const letter of letters) run(process.execPath, 'benchmarks/bench.mjs', letter, ...rest)
