import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { servePage, type PageServer } from '../support/browser-pages.ts'
import { browserSetting, type BrowserSetting } from '../support/browser-setting.ts'
import { executablePath, launchChromium } from '../support/chromium.ts'
import { RawClient, readDocument } from '../support/raw-client.ts'
import { startServer, type RunningServer } from '../support/running-server.ts'
import { startServerProcess } from '../support/server-process.ts'
import { tempDirectory } from '../support/temp-directory.ts'
import type { App } from './pages/document-page.ts'

declare const app: App

// `npm test` finds or installs Chromium and says so when it cannot; without it there is nothing to drive.
describe.skipIf(executablePath === undefined)('the local copy in a browser', () => {
  let browser: Browser
  let pages: PageServer

  beforeAll(async () => {
    ;[browser, pages] = await Promise.all([launchChromium(), servePage('document-page.ts')])
  })

  afterAll(async () => {
    await browser.close()
    await pages.close()
  })

  const setting = (): Promise<BrowserSetting> => browserSetting(browser, pages.url)

  test('[LOCAL3] it opens what y-indexeddb wrote, and y-indexeddb what it wrote', async () => {
    const { open } = await setting()
    const page = await open()
    const texts = await page.evaluate(async () => {
      const { Y, IndexeddbPersistence, IndexedDBPersistence } = app
      const body = (doc: InstanceType<typeof Y.Doc>) => doc.getText('body')
      const first = new Y.Doc()
      const theirs = new IndexeddbPersistence('shared', first)
      await theirs.whenSynced
      body(first).insert(0, 'theirs')
      await theirs.set('application', 'kept')
      await theirs.destroy()
      const second = new Y.Doc()
      const ours = new IndexedDBPersistence('shared', second)
      await ours.whenSynced
      const read = body(second).toJSON()
      body(second).insert(6, ' and ours')
      body(second).delete(0, 1)
      const value = await ours.get('application')
      await ours.set('mine', 7)
      await ours.destroy()
      const third = new Y.Doc()
      const again = new IndexeddbPersistence('shared', third)
      await again.whenSynced
      const mine = (await again.get('mine')) as unknown
      await again.destroy()
      const fourth = new Y.Doc()
      await new IndexedDBPersistence('shared', fourth).whenSynced
      return [read, value, body(third).toJSON(), mine, body(fourth).toJSON()]
    })
    expect(texts).toEqual(['theirs', 'kept', 'heirs and ours', 7, 'heirs and ours'])
  })

  test('T61 [LOCAL2] a deletion made offline survives a reload, is shown as pending, and reaches the server', async () => {
    const { server, proxy, open } = await setting()
    const page = await open()
    await page.evaluate(async (url) => {
      await app.openLocally(url, 'draft')
      app.type('draft', 'hello')
      await app.whenState('draft', 'saved')
    }, proxy.url)
    proxy.cut()
    await page.evaluate(async () => {
      app.get('draft').doc.getText('body').delete(0, 2)
      await app.whenState('draft', 'saved-locally')
    })
    await page.close()
    const next = await open()
    const shown = await next.evaluate(async (url) => {
      const text = await app.openLocally(url, 'draft')
      const { states, provider } = app.get('draft')
      return { text, states, hasChanges: provider.hasUnsyncedChanges }
    }, proxy.url)
    expect(shown).toEqual({ text: 'llo', states: ['saved-locally'], hasChanges: true })
    expect((await readDocument(server.url, 'draft')).getText('body').toJSON()).toBe('hello')
    proxy.restore()
    await next.evaluate(() => app.whenState('draft', 'saved'))
    expect((await readDocument(server.url, 'draft')).getText('body').toJSON()).toBe('llo')
  })

  test('50 documents of a page use one socket, show from the disk offline, and upload once each after 1,000 edits', async () => {
    const { server, proxy, open } = await setting()
    const names = Array.from({ length: 50 }, (_, index) => `document-${index}`)
    let sockets = 0
    const page = await open()
    page.on('websocket', () => sockets++)
    await page.evaluate(
      async ([url, documents]) => {
        for (const name of documents) {
          app.openDocument(url, name)
          app.type(name, name)
        }
        await Promise.all(documents.map((name) => app.whenState(name, 'saved')))
      },
      [proxy.url, names] as const,
    )
    expect(sockets).toBe(1)
    // What the server has is saved; a page that is killed the moment after need not have it on this device, too.
    await page.waitForFunction(
      (documents) => documents.every((name) => app.get(name).persistence.isStored),
      names,
    )
    proxy.cut()
    await page.close()
    const offline = await open()
    const texts = await offline.evaluate(
      async ([url, documents]) => {
        const shown = await Promise.all(documents.map((name) => app.openLocally(url, name)))
        for (const name of documents) for (let edit = 0; edit < 1000; edit++) app.type(name, 'x')
        await Promise.all(documents.map((name) => app.whenState(name, 'saved-locally')))
        return shown
      },
      [proxy.url, names] as const,
    )
    expect(texts).toEqual(names)
    await offline.close()
    const back = await open()
    await back.evaluate(
      ([url, documents]) => Promise.all(documents.map((name) => app.openLocally(url, name))),
      [proxy.url, names] as const,
    )
    const before = await Promise.all(names.map((name) => entries(server, name)))
    proxy.restore()
    await back.evaluate(
      (documents) => Promise.all(documents.map((name) => app.whenState(name, 'saved'))),
      names,
    )
    const after = await Promise.all(names.map((name) => entries(server, name)))
    expect(after.map((count, index) => count - (before[index] as number))).toEqual(
      names.map(() => 1),
    )
    for (const name of ['document-0', 'document-49'])
      expect((await readDocument(server.url, name)).getText('body').toJSON()).toBe(
        name + 'x'.repeat(1000),
      )
  })

  test('T4 T60 the server is killed after it received an edit and before the edit is on its disk: the badge never said saved', async () => {
    const { proxy, server, open } = await setting()
    const held = await startServerProcess('holding-server.mjs', await tempDirectory())
    onTestFinished(() => held.kill())
    const received = new Promise<void>((resolve) =>
      held.process.stdout?.once('data', () => resolve()),
    )
    proxy.target = Number(new URL(held.url).port)
    const page = await open()
    await page.evaluate(async (url) => {
      await app.openLocally(url, 'draft')
      const { provider, states } = app.get('draft')
      await provider.whenSynced
      states.length = 0
      app.type('draft', 'typed')
    }, proxy.url)
    await received
    expect(await page.evaluate(() => app.get('draft').states)).toEqual(['saving'])
    proxy.target = Number(new URL(server.url).port)
    await held.kill()
    await page.close()
    proxy.cut()
    const next = await open()
    const shown = await next.evaluate(async (url) => {
      const text = await app.openLocally(url, 'draft')
      return { text, states: app.get('draft').states }
    }, proxy.url)
    expect(shown).toEqual({ text: 'typed', states: ['saved-locally'] })
    expect(await entries(server, 'draft')).toBe(0)
  })

  test('T67 [LOCAL1] a device without room: an error, and unsaved until it is on the server', async () => {
    const { proxy, context, open } = await setting()
    const page = await open()
    const devtools = await context.newCDPSession(page)
    // Before anything is stored: Chromium remembers for a while how much room there was.
    const origin = pages.url
    await devtools.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 500_000 })
    await page.evaluate((url) => app.openLocally(url, 'draft'), proxy.url)
    await page.evaluate(() => app.get('draft').provider.whenSynced.then(() => undefined))
    proxy.cut()
    const states = await page.evaluate(async () => {
      const { provider, states } = app.get('draft')
      // The page hears of the cut a moment later.
      if (provider.connected)
        await new Promise<void>((resolve) => provider.once('status', () => resolve()))
      const failed = new Promise<void>((resolve) =>
        provider.on('error', ({ code }) => code === 'persistence-quota' && resolve()),
      )
      states.length = 0
      // Chromium stores values compressed: as many letters of one kind would find room. So these come from a Lehmer generator.
      let state = 1
      const noise = Array.from({ length: 2_000_000 }, () => {
        state = (state * 48_271) % 2_147_483_647
        return String.fromCharCode(32 + (state % 95))
      })
      app.type('draft', noise.join(''))
      await failed
      return [provider.saveState, ...states]
    })
    expect(states).toEqual(['unsaved', 'unsaved'])
    await devtools.send('Storage.overrideQuotaForOrigin', { origin })
    await page.evaluate(() => app.whenState('draft', 'saved-locally'))
  })

  test('T67 [LOCAL7] the user deletes the site’s storage under an open page: unsaved, and the next change stores all of it', async () => {
    const { proxy, context, open } = await setting()
    proxy.cut()
    const page = await open()
    await page.evaluate(async (url) => {
      await app.openLocally(url, 'draft')
      app.type('draft', 'typed offline')
      await app.whenState('draft', 'saved-locally')
    }, proxy.url)
    const devtools = await context.newCDPSession(page)
    await devtools.send('Storage.clearDataForOrigin', {
      origin: pages.url,
      storageTypes: 'indexeddb',
    })
    await page.evaluate(() => app.whenState('draft', 'unsaved'))
    await page.evaluate(async () => {
      app.type('draft', ', and on')
      await app.whenState('draft', 'saved-locally')
    })
    const stored = await page.evaluate(() => app.stored('draft'))
    expect(stored).toEqual({ rows: 1, pending: 1, text: 'typed offline, and on', clocks: 21 })
  })

  test('a page that goes to the back-forward cache holds no lock, and takes it again on return', async () => {
    const { proxy, open } = await setting()
    const page = await open()
    const held = async (): Promise<number> =>
      page.evaluate(async () => (await navigator.locks.query()).held?.length ?? 0)
    await page.evaluate((url) => app.openLocally(url, 'draft'), proxy.url)
    await page.waitForFunction(async () => (await navigator.locks.query()).held?.length === 1)
    await page.evaluate(() => {
      dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))
    })
    expect(await held()).toBe(0)
    await page.evaluate(() => {
      dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))
    })
    await page.waitForFunction(async () => (await navigator.locks.query()).held?.length === 1)
  })

  test('[LOCAL8] T15 syncPending uploads documents that nobody has open, over one socket, and says what became of each', async () => {
    const { server, proxy, open } = await setting()
    const page = await open()
    await page.evaluate(async (url) => {
      await app.openLocally(url, 'of the old server')
      app.type('of the old server', 'saved')
      await app.whenState('of the old server', 'saved')
    }, proxy.url)
    proxy.cut()
    await page.evaluate(async (url) => {
      app.type('of the old server', ', not saved')
      await app.whenState('of the old server', 'saved-locally')
      for (const name of ['a', 'b', 'c']) {
        await app.openLocally(url, name)
        app.type(name, name)
        await app.whenState(name, 'saved-locally')
      }
      await app.openLocally(url, 'clean')
    }, proxy.url)
    await page.close()
    // Restored from nothing: another history.
    const next = await startServer(await tempDirectory())
    onTestFinished(() => next.close())
    proxy.target = Number(new URL(next.url).port)
    proxy.restore()
    const later = await open()
    let sockets = 0
    later.on('websocket', () => sockets++)
    const found = await later.evaluate(async (url) => {
      const pending = await app.listPendingDocuments()
      const outcomes = (await app.syncPending({ url })).map((outcome) => [
        outcome.document.document,
        outcome.isSaved ? 'saved' : outcome.error.code,
      ])
      const left = await app.listPendingDocuments()
      return { pending, outcomes, left, kept: (await app.stored('of the old server')).text }
    }, proxy.url)
    const entry = (name: string) => ({ database: name, document: name, url: proxy.url, changes: 1 })
    const old = entry('of the old server')
    expect(found.pending).toEqual([entry('a'), entry('b'), entry('c'), old])
    expect(found.outcomes).toEqual([
      ['a', 'saved'],
      ['b', 'saved'],
      ['c', 'saved'],
      ['of the old server', 'document-reset'],
    ])
    expect(found.left).toEqual([old])
    expect(found.kept).toBe('saved, not saved')
    expect(sockets).toBe(1)
    for (const name of ['a', 'b', 'c'])
      expect((await readDocument(next.url, name)).getText('body').toJSON()).toBe(name)
    expect(await entries(server, 'of the old server')).toBe(1)
  })

  test('two pages of one document: what the server sends is stored once, and one page can delete under the other', async () => {
    const { server, proxy, open } = await setting()
    const [left, right] = [await open(), await open()]
    for (const page of [left, right])
      await page.evaluate(async (url) => {
        await app.openLocally(url, 'draft')
        await app.get('draft').provider.whenSynced
      }, proxy.url)
    await server.documents.open('draft').then(async (draft) => {
      for (let edit = 0; edit < 10; edit++)
        await draft.transact((doc) => doc.getText('body').insert(0, 'x'))
      await draft.close()
    })
    for (const page of [left, right])
      await page.waitForFunction(() => app.text('draft') === 'x'.repeat(10))
    await left.waitForFunction(async () => (await app.stored('draft')).text.length === 10)
    expect(await right.evaluate(() => app.get('draft').persistence.isStored)).toBe(true)
    expect((await left.evaluate(() => app.stored('draft'))).clocks).toBe(10)
    await right.evaluate(() => app.get('draft').provider.clearLocalData())
    expect(await left.evaluate(() => app.stored('draft'))).toEqual({
      rows: 0,
      pending: 0,
      text: '',
      clocks: 0,
    })
    // What the page changes from here on builds on what was deleted: it is stored whole.
    proxy.cut()
    await left.evaluate(async () => {
      app.type('draft', 'after')
      await app.whenState('draft', 'saved-locally')
    })
    expect((await left.evaluate(() => app.stored('draft'))).text).toBe(`${'x'.repeat(10)}after`)
  })
})

/** How many entries the server's log of a document has. */
async function entries(server: RunningServer, name: string): Promise<number> {
  const client = await RawClient.connect(server.url)
  try {
    return (await client.join(name, { clientId: 1 })).head
  } finally {
    client.close()
  }
}
