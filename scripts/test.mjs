// What `npm test` runs: everything that the tests expect to find, then the tests.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { buildStale, root } from './build.mjs'

const isCi = Boolean(process.env.CI) && process.env.CI !== 'false'

/** What the tests need beyond npm: each is found, or installed, and its path handed to them in a variable. */
const PROGRAMS = [
  {
    variable: 'CHROMIUM',
    names: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'],
    elsewhere: ['/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'],
    packages: ['chromium'],
    tests: 'the browser tests',
  },
  // The certificates of the proxies are made by openssl.
  {
    variable: 'NGINX',
    names: ['nginx'],
    elsewhere: ['/usr/sbin/nginx'],
    packages: ['nginx-light', 'openssl'],
    tests: 'the tests behind nginx',
  },
  {
    variable: 'HAPROXY',
    names: ['haproxy'],
    elsewhere: ['/usr/sbin/haproxy'],
    packages: ['haproxy', 'openssl'],
    tests: 'the tests behind HAProxy',
  },
]

buildStale({ forTests: true })
const paths = {}
for (const program of PROGRAMS) {
  const path = find(program) ?? install(program)
  if (path !== null) paths[program.variable] = path
  else {
    const message = `${program.names[0]} is not installed; install it, or set ${program.variable} to its path`
    if (isCi) {
      console.error(`${message}. In CI ${program.tests} must run.`)
      process.exit(1)
    }
    console.error(`${message}. Without it ${program.tests} are skipped.`)
  }
}

const { status } = spawnSync(
  join(root, 'node_modules/.bin/vitest'),
  ['run', ...process.argv.slice(2)],
  {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...paths },
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

function find({ variable, names, elsewhere }) {
  const given = process.env[variable]
  if (given) {
    if (existsSync(given)) return given
    console.error(`${variable} is ${given}, and there is no such file`)
    process.exit(1)
  }
  const folders = (process.env.PATH ?? '').split(delimiter)
  const found = names.flatMap((name) => folders.map((folder) => join(folder, name)))
  return [...found, ...elsewhere].find((path) => existsSync(path)) ?? null
}

/** Only where that needs no question: as root on a Debian, which is what CI is. */
function install(program) {
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return null
  console.error(`installing ${program.packages.join(' and ')} for ${program.tests} …`)
  const options = {
    stdio: ['ignore', 2, 2],
    // In a run level of a machine at work Debian would start the proxies as services; the tests start their own.
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' },
  }
  // The lists of a fresh image are empty or old; an install that works without new ones does not wait for them.
  const attempt = () =>
    spawnSync('apt-get', ['install', '-y', '--no-install-recommends', ...program.packages], options)
      .status
  if (attempt() !== 0) {
    spawnSync('apt-get', ['update'], options)
    if (attempt() !== 0) return null
  }
  return find(program)
}
