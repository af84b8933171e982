import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { createElement } from 'react'
import { renderToString } from 'react-dom/server'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { servePage, type PageServer } from '../support/browser-pages.ts'
import { executablePath, launchChromium } from '../support/chromium.ts'
import { PATIENCE_MS } from '../support/patience.ts'
import { RawClient, readDocument } from '../support/raw-client.ts'
import { startServer, type RunningServer } from '../support/running-server.ts'
import { tempDirectory } from '../support/temp-directory.ts'
import { App } from './pages/react-app.ts'

/** How often the page has run the effects of its document, in the page. */
declare const effects: number

test('React on a server: the fallback is rendered, and no connection is opened', async () => {
  const server = await startServer(await tempDirectory())
  onTestFinished(() => server.close())
  const html = renderToString(createElement(App, { url: server.url, who: 'nobody' }))
  expect(html).toContain('<p>opening</p>')
  expect(await countConnections(server)).toBe(0)
})

describe.skipIf(executablePath === undefined)('React in a browser', () => {
  let browser: Browser
  let pages: PageServer
  beforeAll(async () => {
    ;[browser, pages] = await Promise.all([launchChromium(), servePage('react-page.ts')])
  })
  afterAll(async () => {
    await browser.close()
    await pages.close()
  })

  test('T64 in StrictMode one membership, one socket; hooks follow what happens; a closed document leaves nothing behind', async () => {
    const server = await startServer(await tempDirectory())
    onTestFinished(() => server.close())
    const problems: string[] = []
    const open = async (who: string): Promise<Page> => {
      const context = await browser.newContext()
      onTestFinished(() => context.close())
      const opened = await context.newPage()
      opened.setDefaultTimeout(PATIENCE_MS)
      opened.on('pageerror', (error) => problems.push(String(error)))
      opened.on('console', (message) => {
        if (message.type() === 'error' || message.type() === 'warning')
          problems.push(message.text())
      })
      await opened.goto(`${pages.url}/?url=${encodeURIComponent(server.url)}&who=${who}`)
      return opened
    }
    const shows = (of: Page, id: string, value: string): Promise<void> =>
      expect.poll(() => of.locator(`#${id}`).textContent()).toBe(value)
    const [ada, ben] = [await open('Ada'), await open('Ben')]
    await Promise.all([shows(ada, 'others', 'Ben'), shows(ben, 'others', 'Ada')])
    for (const one of [ada, ben]) {
      await shows(one, 'status', 'connected')
      await shows(one, 'synced', 'true')
      await shows(one, 'read-only', 'false')
    }
    // StrictMode, which makes every effect twice, has left one socket each.
    expect(await ada.evaluate(() => effects)).toBe(2)
    await expect.poll(() => countConnections(server)).toBe(2)

    await ada.getByText('type').click()
    await shows(ben, 'text', 'Ada ')
    await shows(ada, 'saved', 'saved')
    expect((await readDocument(server.url, 'draft')).getText('body').toString()).toBe('Ada ')

    await ada.locator('#toggle').click()
    await shows(ben, 'others', '')
    const watcher = await RawClient.connect(server.url)
    onTestFinished(() => watcher.close())
    await expect.poll(() => countConnections(server)).toBe(2)
    await ada.locator('#toggle').click()
    await shows(ben, 'others', 'Ada')
    await shows(ada, 'text', 'Ada ')
    expect(problems).toEqual([])
  })
})

/** As the server's own metrics tell. */
async function countConnections(server: RunningServer): Promise<number> {
  const http = express().use(server.documents.healthRouter()).listen(0, '127.0.0.1')
  await once(http, 'listening')
  const { port } = http.address() as AddressInfo
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  http.close()
  return Number(/^y_rooms_connections (\d+)/m.exec(metrics)?.[1])
}
