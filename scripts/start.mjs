import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { join } from 'node:path'
import { buildStale, root } from './build.mjs'

buildStale()

const server = spawn(
  process.execPath,
  [join(root, 'dist/src/bin.cjs'), 'serve', ...process.argv.slice(2)],
  { stdio: 'inherit' },
)

// A terminal sends Ctrl-C to both processes, a supervisor only to this one; two copies of one
// signal would make the server skip its orderly end.
for (const signal of ['SIGTERM', 'SIGHUP'])
  process.on(signal, () => server.kill(signal === 'SIGHUP' ? 'SIGTERM' : signal))
process.on('SIGINT', () => {
  if (!process.stdin.isTTY) server.kill('SIGINT')
})

server.on('error', (error) => {
  console.error(`y-rooms: ${error.message}`)
  process.exitCode = 1
})
server.on('exit', (code, signal) => {
  process.exitCode = code ?? 128 + constants.signals[signal]
})
