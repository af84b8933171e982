import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { build, type Rolldown } from 'vite'

export interface PageServer {
  readonly url: string
  close(): Promise<void>
}

/**
 * An empty page with a script of test/browser/pages in it, from a server of its own: it can be
 * loaded while the document server is down.
 */
export async function servePage(script: string): Promise<PageServer> {
  const root = fileURLToPath(new URL('../browser/pages/', import.meta.url))
  const built = (await build({
    root,
    configFile: false,
    logLevel: 'error',
    resolve: { dedupe: ['yjs', 'y-protocols', 'lib0'] },
    build: {
      write: false,
      minify: false,
      target: 'es2022',
      rolldownOptions: { input: `${root}${script}` },
    },
  })) as Rolldown.RolldownOutput
  const code = built.output[0].code
  const server = createServer((request, response) => {
    const isScript = request.url === '/page.js'
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html')
    response.end(isScript ? code : '<!doctype html><script type="module" src="/page.js"></script>')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
