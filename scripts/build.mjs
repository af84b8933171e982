import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))

const shared = ['package-lock.json', 'tsconfig.base.json', 'protocol']

/** What can be built, what it is made of, and the file that is written last. */
const targets = {
  server: {
    sources: [...shared, 'src', 'client'],
    product: 'dist/src/bin.cjs',
    stamps: ['dist/protocol', 'dist/src', 'dist/client'].map((path) => `${path}/.tsbuildinfo`),
    command: ['tsc', '-b', 'src', 'client'],
  },
  'kill campaign': {
    sources: [...shared, 'src', 'client', 'test/kill-campaign'],
    product: 'dist/test/kill-campaign/main.js',
    stamps: ['dist/test/kill-campaign.tsbuildinfo'],
    command: ['tsc', '-b', 'test/kill-campaign'],
    isForTests: true,
  },
  examples: {
    // A package of its own: the product does not depend on editors.
    packages: 'examples/apps',
    sources: [...shared, 'client', 'examples/apps'],
    product: 'dist/examples/index.html',
    stamps: ['dist/examples/index.html'],
    command: ['vite', 'build', 'examples/apps', '--logLevel', 'warn'],
  },
}

/**
 * Builds what is missing or older than its sources, for tests what they start as well. Ends the process when a build
 * fails; the examples are not worth that where somebody only wants the server.
 */
export function buildStale({ forTests = false, examples = true } = {}) {
  if (!existsSync(join(root, 'node_modules/.bin/tsc'))) {
    console.error('y-rooms: the packages are not installed; run npm ci first')
    process.exit(1)
  }
  for (const [name, target] of Object.entries(targets)) {
    const isWanted = target === targets.examples ? examples : !target.isForTests || forTests
    if (!isWanted || isFresh(target)) continue
    if (target === targets.examples && !hasPackages(target.packages, forTests)) continue
    console.error(`building the ${name} …`)
    const startedAt = new Date()
    run(target.command)
    // tsc writes nothing when a source is newer and says the same; what is saved meanwhile is for the next build.
    for (const stamp of target.stamps) utimesSync(join(root, stamp), startedAt, startedAt)
  }
}

/** Installs the packages of a folder if its lock is newer. False when that fails: no network, for instance. */
function hasPackages(folder, mustWork) {
  const installed = modifiedAt(`${folder}/node_modules/.package-lock.json`)
  if (installed >= modifiedAt(`${folder}/package-lock.json`)) return true
  console.error(`installing the packages of ${folder} …`)
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel', 'error'], {
    cwd: join(root, folder),
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  })
  if (status === 0) return true
  if (mustWork) process.exit(status ?? 1)
  console.error(`y-rooms: the packages of ${folder} could not be installed; starting without them`)
  return false
}

/** Runs an installed tool; its failure is this process's. */
function run([tool, ...args]) {
  const { status } = spawnSync(join(root, 'node_modules/.bin', tool), args, {
    cwd: root,
    // Standard output belongs to the program that is built, for instance to its one listening line.
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  })
  if (status !== 0) process.exit(status ?? 1)
}

function isFresh({ sources, product, stamps }) {
  if (!existsSync(join(root, product))) return false
  const builtAt = Math.min(...stamps.map(modifiedAt))
  return builtAt >= Math.max(...sources.map((source) => newestIn(join(root, source))))
}

/**
 * Of a file or a whole folder, including the folders themselves: a deleted file makes its folder newer. Installed
 * packages are as old as the lock beside them.
 */
function newestIn(path) {
  const status = statSync(path)
  if (!status.isDirectory()) return status.mtimeMs
  const names = readdirSync(path).filter((name) => name !== 'node_modules')
  // Installing writes into the folder too, which is no change of a source.
  const own = existsSync(join(path, 'package-lock.json')) ? 0 : status.mtimeMs
  return Math.max(own, ...names.map((name) => newestIn(join(path, name))))
}

/** 0 when there is none: older than everything. */
function modifiedAt(path) {
  return statSync(join(root, path), { throwIfNoEntry: false })?.mtimeMs ?? 0
}
