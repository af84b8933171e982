import type { Browser } from 'playwright-core'
import type { Access } from 'y-rooms/server'
import * as Y from 'yjs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { servePage, type PageServer } from '../support/browser-pages.ts'
import { browserSetting, type BrowserSetting } from '../support/browser-setting.ts'
import { executablePath, launchChromium } from '../support/chromium.ts'
import { RawClient, readDocument } from '../support/raw-client.ts'
import type { RunningServer } from '../support/running-server.ts'
import type { App } from './pages/document-page.ts'

declare const app: App

// `npm test` finds or installs Chromium and says so when it cannot; without it there is nothing to drive.
describe.skipIf(executablePath === undefined)('tabs of a browser', () => {
  let browser: Browser
  let pages: PageServer

  beforeAll(async () => {
    ;[browser, pages] = await Promise.all([launchChromium(), servePage('document-page.ts')])
  })

  afterAll(async () => {
    await browser.close()
    await pages.close()
  })

  const setting = (authorize: () => Access = () => 'write'): Promise<BrowserSetting> =>
    browserSetting(browser, pages.url, { authorize })

  test('T63 [TAB1] [TAB3] two tabs without a network see each other; back on it the server has each edit once', async () => {
    const { server, proxy, open } = await setting()
    const [left, right] = [await open(), await open()]
    for (const page of [left, right])
      await page.evaluate(async (url) => {
        app.openDocument(url, 'draft')
        await app.get('draft').provider.whenSynced
      }, proxy.url)
    await left.evaluate(async () => {
      app.type('draft', 'online.')
      await app.whenState('draft', 'saved')
    })
    await right.waitForFunction(() => app.text('draft') === 'online.')
    expect(await readLog(server)).toEqual({ entries: 1, clocks: 7 })
    proxy.cut()
    for (const page of [left, right])
      await page.waitForFunction(() => !app.get('draft').provider.connected)
    for (const [page, other, letter] of [
      [left, right, 'l'],
      [right, left, 'r'],
      [left, right, 'L'],
    ] as const) {
      await page.evaluate((added) => app.type('draft', added), letter)
      await other.waitForFunction((added) => app.text('draft').endsWith(added), letter)
    }
    expect(await right.evaluate(() => app.text('draft'))).toBe('online.lrL')
    for (const page of [left, right])
      await page.evaluate(() => app.whenState('draft', 'saved-locally'))
    expect((await readDocument(server.url, 'draft')).getText('body').toJSON()).toBe('online.')
    proxy.restore()
    for (const page of [left, right]) await page.evaluate(() => app.whenState('draft', 'saved'))
    const texts = [left, right].map((page) => page.evaluate(() => app.text('draft')))
    expect(await Promise.all(texts)).toEqual(['online.lrL', 'online.lrL'])
    expect((await readDocument(server.url, 'draft')).getText('body').toJSON()).toBe('online.lrL')
    // Whatever two tabs uploaded twice, the log has once.
    const { entries, clocks } = await readLog(server)
    expect(entries).toBeLessThanOrEqual(4)
    expect(clocks).toBe('online.lrL'.length)
    for (const page of [left, right]) {
      await page.waitForFunction(async () => (await app.stored('draft')).pending === 0)
      const errors = await page.evaluate(() => app.get('draft').errors)
      expect(errors.filter((code) => code !== 'connection-failed')).toEqual([])
    }
  })

  test('T63 [TAB3] online, each edit of either tab is uploaded by that tab alone', async () => {
    const { server, proxy, open } = await setting()
    const [left, right] = [await open(), await open()]
    for (const page of [left, right])
      await page.evaluate(async (url) => {
        app.openDocument(url, 'draft')
        await app.get('draft').provider.whenSynced
      }, proxy.url)
    await left.evaluate(async () => {
      for (const letter of 'abcdefghij') {
        app.type('draft', letter)
        await app.whenState('draft', 'saved')
      }
    })
    await right.waitForFunction(() => app.text('draft') === 'abcdefghij')
    // Not once did it have anything to save.
    expect(await right.evaluate(() => app.get('draft').states)).not.toContain('saving')
    expect(await readLog(server)).toEqual({ entries: 10, clocks: 10 })
    for (const page of [left, right])
      await page.waitForFunction(async () => (await app.stored('draft')).pending === 0)
  })

  test('T63 [TAB4] a tab is closed while its edit is on the way to nowhere: the other uploads it', async () => {
    const { server, proxy, open } = await setting()
    const [left, right] = [await open(), await open()]
    for (const page of [left, right])
      await page.evaluate(async (url) => {
        app.openDocument(url, 'draft', { persistence: null })
        await app.get('draft').provider.whenSynced
      }, proxy.url)
    proxy.swallow()
    await left.evaluate(() => app.type('draft', 'mine'))
    await right.waitForFunction(() => app.text('draft') === 'mine')
    expect(await right.evaluate(() => app.get('draft').provider.unsyncedChanges)).toBe(0)
    await left.close({ runBeforeUnload: true })
    await right.waitForFunction(() => app.get('draft').provider.unsyncedChanges > 0)
    proxy.cut()
    proxy.restore()
    await right.evaluate(() => app.whenState('draft', 'saved'))
    expect((await readDocument(server.url, 'draft')).getText('body').toJSON()).toBe('mine')
  })

  test('T63 [TAB5] the edit of a tab that may only read reaches neither the server nor the other tab', async () => {
    let access: Access = 'read'
    const { server, proxy, open } = await setting(() => access)
    const [reader, writer] = [await open(), await open()]
    await reader.evaluate(async (url) => {
      app.openDocument(url, 'draft', { persistence: null })
      await app.get('draft').provider.whenSynced
    }, proxy.url)
    access = 'write'
    await writer.evaluate(async (url) => {
      app.openDocument(url, 'draft', { persistence: null })
      await app.get('draft').provider.whenSynced
    }, proxy.url)
    await reader.evaluate(async () => {
      app.get('draft').provider.awareness.setLocalStateField('name', 'reader')
      app.type('draft', 'not allowed')
      await app.whenState('draft', 'rejected')
      // Later than the edit on the same channel.
      app.get('draft').provider.awareness.setLocalStateField('name', 'reader, after the edit')
    })
    await writer.waitForFunction(() =>
      [...app.get('draft').provider.awareness.getStates().values()].some(
        (state) => (state as { name?: string }).name === 'reader, after the edit',
      ),
    )
    await writer.evaluate(async () => {
      app.type('draft', 'written')
      await app.whenState('draft', 'saved')
    })
    expect(await writer.evaluate(() => app.text('draft'))).toBe('written')
    expect((await readDocument(server.url, 'draft')).getText('body').toJSON()).toBe('written')
  })
})

/** How many entries the server's log of the document has, and how many clocks they have together. */
async function readLog(server: RunningServer): Promise<{ entries: number; clocks: number }> {
  const client = await RawClient.connect(server.url)
  try {
    const { head, updates } = await client.join('draft', { clientId: 1 })
    let clocks = 0
    for (const update of updates) {
      const { from, to } = Y.parseUpdateMeta(new Uint8Array(update))
      for (const [author, end] of to) clocks += end - (from.get(author) ?? 0)
    }
    return { entries: head, clocks }
  } finally {
    client.close()
  }
}
