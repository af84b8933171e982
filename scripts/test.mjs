// What `npm test` runs: everything that the tests expect to find, then the tests.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { buildStale, root } from './build.mjs'

const isCi = Boolean(process.env.CI) && process.env.CI !== 'false'
const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

buildStale({ forTests: true })
const chromium = findChromium() ?? installChromium()
if (chromium === null) {
  const message = 'Chromium is not installed; install it, or set CHROMIUM to its path'
  if (isCi) {
    console.error(`${message}. In CI the browser tests must run.`)
    process.exit(1)
  }
  console.error(`${message}. Without it the browser tests are skipped.`)
}

const { status } = spawnSync(
  join(root, 'node_modules/.bin/vitest'),
  ['run', ...process.argv.slice(2)],
  {
    cwd: root,
    stdio: 'inherit',
    env: chromium === null ? process.env : { ...process.env, CHROMIUM: chromium },
    shell: process.platform === 'win32',
  },
)
process.exitCode = status ?? 1

// A whole run ends with the part of the integration tests that says most about long polling, WebSocket being blocked.
if (status === 0 && process.argv.length === 2) {
  const polling = spawnSync(
    process.execPath,
    [
      join(root, 'scripts/test-polling.mjs'),
      ...['joining', 'pulling', 'returning', 'provider', 'access'].map(
        (name) => `test/e2e/${name}`,
      ),
      'test/client/real-server',
    ],
    { cwd: root, stdio: 'inherit' },
  )
  process.exitCode = polling.status ?? 1
}

function findChromium() {
  const given = process.env.CHROMIUM
  if (given) {
    if (existsSync(given)) return given
    console.error(`CHROMIUM is ${given}, and there is no such file`)
    process.exit(1)
  }
  const folders = (process.env.PATH ?? '').split(delimiter)
  const paths = names.flatMap((name) => folders.map((folder) => join(folder, name)))
  paths.push('/Applications/Google Chrome.app/Contents/MacOS/Google Chrome')
  return paths.find((path) => existsSync(path)) ?? null
}

/** Only where that needs no question: as root on a Debian, which is what CI is. */
function installChromium() {
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return null
  console.error('installing Chromium for the browser tests …')
  const options = {
    stdio: ['ignore', 2, 2],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  }
  // The lists of a fresh image are empty or old; an install that works without new ones does not wait for them.
  const install = () =>
    spawnSync('apt-get', ['install', '-y', '--no-install-recommends', 'chromium'], options).status
  if (install() !== 0) {
    spawnSync('apt-get', ['update'], options)
    if (install() !== 0) return null
  }
  return findChromium()
}
