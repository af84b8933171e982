import { fork, execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'

/** With two cores and `taskset`, the server gets one of its own and the load the other. */
const canPin = cpus().length > 1 && succeeds('taskset', '-V')

export function pinDriver() {
  if (canPin) execFileSync('taskset', ['-a', '-cp', '1', String(process.pid)], { stdio: 'ignore' })
}

export async function startServer(name, { directory, options, nodeArguments = [] }) {
  const flags = ['--expose-gc', ...nodeArguments]
  const child = fork(
    fileURLToPath(new URL('../serve.mjs', import.meta.url)),
    [name, JSON.stringify({ directory, options })],
    canPin
      ? { execPath: 'taskset', execArgv: ['-c', '0', process.execPath, ...flags] }
      : { execArgv: flags },
  )
  const exited = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`the server ${name} ended with ${code ?? signal}`)
  })
  exited.catch(() => undefined)
  const next = async () => {
    const answered = new Promise((resolve) => child.once('message', resolve))
    return (await Promise.race([answered, exited])).answer
  }
  let isRunning = true
  child.once('exit', () => (isRunning = false))
  const port = await next()
  return {
    port,
    isRunning: () => isRunning,
    pid: child.pid,
    /** One question at a time. */
    ask(question, argument) {
      const answer = next()
      child.send({ question, argument })
      return answer
    },
    /** Resolves with the bytes that it has written to disks, if it tells. */
    async close() {
      const ended = once(child, 'exit')
      const answer = this.ask('close').catch(() => undefined)
      await ended
      return answer
    },
    async kill(signal) {
      const ended = once(child, 'exit')
      child.kill(signal)
      await ended
    },
  }
}

function succeeds(command, ...args) {
  try {
    execFileSync(command, args, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
