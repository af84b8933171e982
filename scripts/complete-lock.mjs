// npm leaves an optional package out of the lock when the registry it talks to does not hold that platform's build,
// and then refuses the lock (`npm ci`: missing from lock file). This writes those entries from what their parents
// declare. Run it after a change of dependencies: node scripts/complete-lock.mjs
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const path = fileURLToPath(new URL('../package-lock.json', import.meta.url))
const lock = JSON.parse(readFileSync(path, 'utf8'))
const platforms = ['android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32']
let added = 0

for (const [parent, entry] of Object.entries(lock.packages))
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (isLocked(parent, name)) continue
    // As in `@oxlint/binding-linux-x64-gnu`: system, processor, C library.
    const [os, cpu, abi] = name.split('/')[1].replace('binding-', '').split('-')
    if (!platforms.includes(os)) throw new Error(`${name} does not name its platform`)
    lock.packages[`node_modules/${name}`] = {
      version,
      cpu: [cpu],
      dev: true,
      ...(os === 'linux' && (abi === 'gnu' || abi === 'musl')
        ? { libc: [abi === 'gnu' ? 'glibc' : 'musl'] }
        : {}),
      optional: true,
      os: [os],
    }
    added++
  }

const sorted = Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1))
lock.packages = Object.fromEntries(sorted)
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`)
process.stdout.write(`${added} entries added\n`)

/** Node looks for a package in the folder of the one that asks, then further up. */
function isLocked(parent, name) {
  for (let folder = parent; ;) {
    if (lock.packages[`${folder === '' ? '' : `${folder}/`}node_modules/${name}`]) return true
    if (folder === '') return false
    folder = folder.slice(0, Math.max(0, folder.lastIndexOf('node_modules/') - 1))
  }
}
