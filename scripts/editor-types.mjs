// `npm run editor-types`: compiles test/editor-types against the real packages of editors, which it installs where they are missing.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = 'test/editor-types'

function run(command, ...args) {
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

// BlockNote and Plate ask for peers that are in no registry, or that only other providers need: types do without.
const flags = ['--legacy-peer-deps', '--ignore-scripts', '--no-audit', '--no-fund']
if (!existsSync(`${root}/${folder}/node_modules`))
  run('npm', 'ci', ...flags, '--loglevel', 'error', '--prefix', folder)
run('npx', 'tsc', '-b', 'client')
run('npx', 'tsc', '-p', folder)
