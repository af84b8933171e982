import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export interface ServerProcess {
  readonly url: string
  readonly process: ChildProcess
  /** SIGKILL, and the process is gone when this resolves. */
  kill(): Promise<void>
}

/** A server in a process of its own, from a script that prints its port. */
export async function startServerProcess(
  script: string,
  ...args: string[]
): Promise<ServerProcess> {
  const path = fileURLToPath(new URL(`../fixtures/${script}`, import.meta.url))
  const child = spawn(process.execPath, [path, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  const port = await Promise.race([
    once(child.stdout, 'data').then(([line]) => Number(String(line))),
    exited.then(() => {
      throw new Error(`${script} ended before it printed its port`)
    }),
  ])
  return {
    url: `http://127.0.0.1:${port}`,
    process: child,
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
  }
}
