import { onTestFinished } from 'vitest'
import { build, preview } from 'vite'
import { tempDirectory } from './temp-directory.ts'

/** Builds a page of the tests as an application would be, and serves it on a loopback port. Resolves with its URL. */
export async function serveBuiltPage(root: string): Promise<string> {
  const outDir = await tempDirectory()
  const config = { root, configFile: false, logLevel: 'error' } as const
  await build({ ...config, build: { outDir, emptyOutDir: true } })
  const server = await preview({
    ...config,
    build: { outDir },
    preview: { host: '127.0.0.1', port: 0 },
  })
  onTestFinished(() => server.close())
  const url = server.resolvedUrls?.local[0]
  if (url === undefined) throw new Error('the page is not served')
  return url
}
