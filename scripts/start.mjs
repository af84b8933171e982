import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { join } from 'node:path'
import { buildStale, root } from './build.mjs'

// The server reads the same two; whoever wants no examples does not wait for them either.
const wantsExamples =
  !process.argv.includes('--no-examples') && !['1', 'true'].includes(process.env.NO_EXAMPLES)
buildStale({ examples: wantsExamples })

const server = spawn(
  process.execPath,
  [join(root, 'dist/src/bin.cjs'), 'serve', ...process.argv.slice(2)],
  { stdio: 'inherit' },
)

let wasTold = false

// A terminal sends Ctrl-C to both processes, a supervisor only to this one; two copies of one
// signal would make the server skip its orderly end.
process.on('SIGINT', () => {
  wasTold = true
  if (!process.stdin.isTTY) server.kill('SIGINT')
})
for (const signal of ['SIGTERM', 'SIGHUP'])
  process.on(signal, () => {
    wasTold = true
    server.kill('SIGTERM')
  })

// npm hands a SIGTERM to the shell that it started, which ends without passing it on. A server that
// nobody waits for any more would keep the port and the data.
if (process.env.npm_lifecycle_event !== undefined) {
  const shell = process.ppid
  const timer = setInterval(() => {
    if (process.ppid === shell || wasTold) return
    clearInterval(timer)
    server.kill('SIGTERM')
  }, 500)
  timer.unref()
}

server.on('error', (error) => {
  console.error(`y-rooms: ${error.message}`)
  process.exitCode = 1
})
server.on('exit', (code, signal) => {
  process.exitCode = code ?? 128 + constants.signals[signal]
})
