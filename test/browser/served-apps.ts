import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { startProxy, type CuttableProxy } from '../support/cuttable-proxy.ts'
import { tempDirectory } from '../support/temp-directory.ts'

const bin = fileURLToPath(new URL('../../dist/src/bin.cjs', import.meta.url))

/** `y-rooms serve` as users run it, behind a cable that can be cut; the address stays when the server is replaced. */
export interface ServedApps {
  readonly url: string
  readonly network: CuttableProxy
  /** SIGKILL, and the process is gone when this resolves. */
  kill(): Promise<void>
  /** A new process on the same data. */
  start(): Promise<void>
}

/** Serves for the running test. Without a script it is the command line program, else one that takes the data directory. */
export async function serveApps(script?: string): Promise<ServedApps> {
  const data = await tempDirectory()
  let server = await spawnServer(data, script)
  const network = await startProxy(server.port)
  onTestFinished(async () => {
    server.process.kill('SIGKILL')
    await network.close()
  })
  return {
    url: network.url,
    network,
    async kill() {
      const exited = once(server.process, 'exit')
      server.process.kill('SIGKILL')
      await exited
    },
    async start() {
      server = await spawnServer(data, script)
      network.target = server.port
    },
  }
}

async function spawnServer(
  data: string,
  script: string | undefined,
): Promise<{ process: ChildProcess; port: number }> {
  const args =
    script === undefined
      ? [bin, 'serve', '--port', '0', '--data', data]
      : [fileURLToPath(new URL(`../fixtures/${script}`, import.meta.url)), data]
  const server = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(server.stdout, 'data')) as [Buffer]
  const port = /http:\/\/127\.0\.0\.1:(\d+)/.exec(String(line))?.[1]
  if (port === undefined) throw new Error(`the server said ${String(line)}`)
  return { process: server, port: Number(port) }
}
