import type { Browser, BrowserContext, Page } from 'playwright-core'
import { expect, onTestFinished } from 'vitest'
import type { ServerOptions } from 'y-rooms/server'
import { PATIENCE_MS } from './patience.ts'
import { startProxy, type CuttableProxy } from './cuttable-proxy.ts'
import { startServer, type RunningServer } from './running-server.ts'
import { tempDirectory } from './temp-directory.ts'

export interface BrowserSetting {
  readonly server: RunningServer
  readonly proxy: CuttableProxy
  readonly context: BrowserContext
  /** One more tab of the one browser, with `app` of the page in it. */
  open(): Promise<Page>
}

/** One person's browser, with nothing stored, and a server behind a cable. A page that throws fails the test. */
export async function browserSetting(
  browser: Browser,
  pageUrl: string,
  options: Omit<ServerOptions, 'storage'> = {},
): Promise<BrowserSetting> {
  const server = await startServer(await tempDirectory(), options)
  const proxy = await startProxy(Number(new URL(server.url).port))
  const context = await browser.newContext()
  const problems: string[] = []
  onTestFinished(async () => {
    await context.close()
    await proxy.close()
    await server.close()
    expect(problems).toEqual([])
  })
  return {
    server,
    proxy,
    context,
    async open() {
      const page = await context.newPage()
      page.setDefaultTimeout(PATIENCE_MS)
      page.on('pageerror', (error) => problems.push(String(error)))
      await page.goto(pageUrl)
      await page.waitForFunction(() => 'app' in globalThis)
      return page
    },
  }
}
