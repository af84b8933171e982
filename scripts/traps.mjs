// `npm run traps`: trap → the tests that cite it. Tests are collected by vitest, so that what is skipped does not count.
import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { buildStale, root } from './build.mjs'
import { traceTraps } from './trap-list.mjs'

buildStale()
const list = join(tmpdir(), `traps-${process.pid}.json`)
const { status } = spawnSync(join(root, 'node_modules/.bin/vitest'), ['list', `--json=${list}`], {
  cwd: root,
  stdio: ['ignore', 'ignore', 'inherit'],
  shell: process.platform === 'win32',
})
if (status !== 0) process.exit(status ?? 1)
const tests = JSON.parse(readFileSync(list, 'utf8')).map(({ name, file }) => ({
  file: relative(root, file),
  title: name.split(' > ').at(-1),
}))
rmSync(list)

const { traps, citations, missing, unknown } = traceTraps(tests)
for (const { id, isRequired } of traps) {
  const citing = citations.get(id)
  if (citing.length === 0) console.log(`${id}  ${isRequired ? 'NO TEST' : '(no test yet)'}`)
  for (const { file, title } of citing) console.log(`${id}  ${file}: ${title}`)
}
const required = traps.filter(({ isRequired }) => isRequired).length
console.log(`\n${required - missing.length} of ${required} required traps have a test`)
for (const { id, file, title } of unknown)
  console.error(`${file}: "${title}" cites ${id}, which docs/traps.md does not have`)
if (missing.length > 0) console.error(`without a test: ${missing.join(', ')}`)
process.exitCode = missing.length + unknown.length > 0 ? 1 : 0
