import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { startProxy, type CuttableProxy } from '../support/cuttable-proxy.ts'
import { tempDirectory } from '../support/temp-directory.ts'

const bin = fileURLToPath(new URL('../../dist/src/bin.cjs', import.meta.url))

const appsServer = fileURLToPath(new URL('../fixtures/apps-server.mjs', import.meta.url))

/** `y-rooms serve` as users run it, behind a cable that can be cut; the address stays when the server is replaced. */
export interface ServedApps {
  readonly url: string
  readonly network: CuttableProxy
  /** SIGKILL, and the process is gone when this resolves. */
  kill(): Promise<void>
  /** A new process on the same data. */
  start(access?: Access): Promise<void>
  /** What the server prints next. */
  nextLine(): Promise<string>
}

/** What everybody may do, where the command line program would let them write; `hold`: write, and the disk takes nothing. */
type Access = 'read' | 'write' | 'hold'

/** Serves for the running test, the built examples or those of another directory. */
export async function serveApps(
  examples?: string,
  environment: NodeJS.ProcessEnv = {},
): Promise<ServedApps> {
  const data = await tempDirectory()
  const spawnAgain = (access?: Access): ReturnType<typeof spawnServer> =>
    spawnServer(data, access, examples, environment)
  let server = await spawnAgain(examples === undefined ? undefined : 'write')
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
    async start(access) {
      server = await spawnAgain(access)
      network.target = server.port
    },
    async nextLine() {
      const [line] = (await once(server.process.stdout!, 'data')) as [Buffer]
      return String(line)
    },
  }
}

async function spawnServer(
  data: string,
  access: Access | undefined,
  examples: string | undefined,
  environment: NodeJS.ProcessEnv,
): Promise<{ process: ChildProcess; port: number }> {
  const args =
    access === undefined
      ? [bin, 'serve', '--port', '0', '--data', data]
      : [appsServer, data, access, ...(examples === undefined ? [] : [examples])]
  const server = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...environment },
  })
  const [line] = (await once(server.stdout, 'data')) as [Buffer]
  const port = /http:\/\/127\.0\.0\.1:(\d+)/.exec(String(line))?.[1]
  if (port === undefined) throw new Error(`the server said ${String(line)}`)
  return { process: server, port: Number(port) }
}
