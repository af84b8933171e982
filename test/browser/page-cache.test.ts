import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { servePage, type PageServer } from '../support/browser-pages.ts'
import { executablePath, launchChromium } from '../support/chromium.ts'
import { PATIENCE_MS } from '../support/patience.ts'
import { RawClient } from '../support/raw-client.ts'
import { decodePresence } from '../support/awareness-message.ts'
import { startServer } from '../support/running-server.ts'
import { tempDirectory } from '../support/temp-directory.ts'
import type { App } from './pages/document-page.ts'

/** In the page. */
declare const app: App

describe.skipIf(executablePath === undefined)('the back/forward cache of a browser', () => {
  let browser: Browser
  let pages: PageServer
  beforeAll(async () => {
    pages = await servePage('document-page.ts')
    // Playwright turns it off, as most tests want pages that are loaded anew.
    browser = await launchChromium({ ignoreDefaultArgs: ['--disable-back-forward-cache'] })
  })
  afterAll(async () => {
    await browser.close()
    await pages.close()
  })

  test('T41 a page that is put aside leaves at once; taken out again it is the same page, with its presence, and goes on saving', async () => {
    const server = await startServer(await tempDirectory())
    onTestFinished(() => server.close())
    const watcher = await RawClient.connect(server.url)
    onTestFinished(() => watcher.close())
    await watcher.join('draft', { clientId: 1 })
    const lastState = (): unknown =>
      watcher.awareness
        .flatMap((update) => decodePresence(update))
        .findLast(({ clientId }) => clientId !== 1)?.state

    const context = await browser.newContext()
    onTestFinished(() => context.close())
    const page = await context.newPage()
    page.setDefaultTimeout(PATIENCE_MS)
    await page.goto(pages.url)
    await page.evaluate(async (url) => {
      await app.openLocally(url, 'draft')
      const { provider } = app.get('draft')
      Object.assign(window, { isTheSamePage: true })
      provider.awareness.setLocalStateField('user', { name: 'Ada' })
      // As Lexical does.
      addEventListener('pagehide', () => provider.awareness.setLocalState(null))
      await provider.whenSynced
    }, server.url)
    await expect.poll(lastState).toMatchObject({ user: { name: 'Ada' } })

    await page.goto(`${pages.url}/elsewhere`)
    await expect.poll(lastState).toBeNull()
    // Playwright's own way back waits for a page that loads.
    await page.evaluate(() => history.back()).catch(() => undefined)
    await expect
      .poll(() => page.evaluate(() => 'isTheSamePage' in window).catch(() => false))
      .toBe(true)
    await expect.poll(lastState).toMatchObject({ user: { name: 'Ada' } })
    await page.evaluate(async () => {
      app.type('draft', 'after the cache')
      await app.get('draft').provider.whenSaved()
    })
  })
})
