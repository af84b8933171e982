import { readFileSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runToEnd } from '../cli/cli-process.ts'
import { executablePath, launchChromium } from '../support/chromium.ts'
import { PATIENCE_MS } from '../support/patience.ts'
import { seriousFaults } from './accessibility.ts'
import { arrive, badge, type Person } from './person.ts'
import { serveApps } from './served-apps.ts'

const ENVIRONMENT = { JWT_SECRET: 'a secret of thirty-two bytes, or more' }

async function mint(...args: string[]): Promise<string> {
  const { exit, stdout, stderr } = await runToEnd(['token', '--user', 'ada', ...args], ENVIRONMENT)
  expect([exit, stderr]).toEqual([0, ''])
  return stdout.trim()
}

/** The reason that the page gives for asking. */
function asked({ page }: Person, reason: string): Promise<void> {
  return page.locator('.token-reason', { hasText: reason }).waitFor()
}

async function give({ page }: Person, token: string): Promise<void> {
  await page.getByLabel('Token').fill(token)
  await page.getByRole('button', { name: 'Use it' }).click()
}

describe.skipIf(executablePath === undefined)('pages of a server that wants tokens', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launchChromium()
  })
  afterAll(() => browser.close())

  test('a page without a token says what is missing, and takes one', async () => {
    const apps = await serveApps(undefined, ENVIRONMENT)
    const ada = await arrive(browser, 'Ada', `${apps.url}/rich-text/#plan`)
    await asked(ada, 'lets nobody in without a token, and this page has none')
    expect(await ada.page.locator('.tiptap').count()).toBe(0)
    expect(await seriousFaults(ada.page)).toEqual([])
    await give(ada, `${await mint()}broken`)
    await asked(ada, 'The server does not take this token')
    await give(ada, await mint('--document', 'rich-text/other=write'))
    await asked(ada, 'Your token does not open this document')
    await give(ada, await mint('--document', 'rich-text/*=write'))
    await badge(ada, 'Saved')
    expect(await ada.page.locator('.token-request').isVisible()).toBe(false)
    expect(ada.problems).toEqual([])
  })

  test('a token in the fragment leaves the address bar at once, is in no address, and survives a reload', async () => {
    const apps = await serveApps(undefined, ENVIRONMENT)
    const token = await mint()
    const context = await browser.newContext()
    context.setDefaultTimeout(PATIENCE_MS)
    const page = await context.newPage()
    const addresses: string[] = []
    page.on('request', (request) => addresses.push(request.url()))
    page.on('websocket', (socket) => addresses.push(socket.url()))
    await page.goto(`${apps.url}/rich-text/#plan%20b&token=${token}`)
    const ada: Person = { name: 'Ada', page, problems: [] }
    await badge(ada, 'Saved')
    expect(page.url()).toBe(`${apps.url}/rich-text/#plan%20b`)
    expect(await page.title()).toContain('plan b')
    await page.locator('.tiptap').click()
    await page.keyboard.type('kept')
    await badge(ada, 'Saved')
    await page.reload()
    await page.locator('.tiptap', { hasText: 'kept' }).waitFor()
    await page.getByRole('button', { name: 'Copy link' }).click()
    expect(page.url()).toBe(`${apps.url}/rich-text/#plan%20b`)
    expect(addresses.length).toBeGreaterThan(4)
    expect(addresses.filter((address) => address.includes(token))).toEqual([])
    // Another tab has none of it.
    const other = await context.newPage()
    await other.goto(page.url())
    await asked({ name: 'Ada', page: other, problems: [] }, 'this page has none')
  })

  test('a token that ends while one writes: what was written stays, and a new one saves it', async () => {
    const apps = await serveApps(undefined, ENVIRONMENT)
    const ends = await mint('--expires', '30s')
    const ada = await arrive(browser, 'Ada', `${apps.url}/rich-text/#plan&token=${ends}`)
    await ada.page.locator('.tiptap').click()
    await asked(ada, 'Your token has ended')
    await badge(ada, 'Refused: no access')
    await ada.page.locator('.tiptap').click()
    await ada.page.keyboard.type('written without a token')
    await give(ada, await mint())
    await badge(ada, 'Saved')
    const ben = await arrive(browser, 'Ben', `${apps.url}/rich-text/#plan&token=${await mint()}`)
    await ben.page.locator('.tiptap', { hasText: 'written without a token' }).waitFor()
    expect([...ada.problems, ...ben.problems]).toEqual([])
  })

  test('every page gives its provider the token', () => {
    const apps = fileURLToPath(new URL('../../examples/apps/', import.meta.url))
    const folders = readdirSync(apps, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && entry.name !== 'node_modules')
      .map(({ name }) => apps + name)
    const makers = folders
      .flatMap((folder) =>
        readdirSync(folder, { recursive: true }).map((name) => `${folder}/${String(name)}`),
      )
      .filter((path) => /\.tsx?$/.test(path))
      .map((path) => ({ path, text: readFileSync(path, 'utf8') }))
      .filter(({ text }) => /new SocketIO(Provider\(location|Connection)/.test(text))
    expect(makers.length).toBeGreaterThan(9)
    expect(makers.filter(({ text }) => !/\{[^}]*\btoken\b/.test(text))).toEqual([])
  })

  // One document on a socket of its own, and many on one.
  test.each(['whiteboard', 'notes'])('%s takes the token, too', async (app) => {
    const apps = await serveApps(undefined, ENVIRONMENT)
    const without = await arrive(browser, 'Ada', `${apps.url}/${app}/#plan`)
    await asked(without, 'this page has none')
    const ada = await arrive(browser, 'Ada', `${apps.url}/${app}/#plan&token=${await mint()}`)
    await ada.page.locator('.save[data-tone=good]').waitFor()
    expect(ada.page.url()).toBe(`${apps.url}/${app}/#plan`)
    expect(ada.problems).toEqual([])
  })
})
