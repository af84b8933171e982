import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { seriousFaults } from './accessibility.ts'
import { executablePath, launchChromium } from '../support/chromium.ts'
import { arrive } from './person.ts'
import { serveApps } from './served-apps.ts'

describe.skipIf(executablePath === undefined)('the landing page in a browser', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launchChromium()
  })
  afterAll(() => browser.close())

  test('counts who is here, opens documents by link and by name, and refuses links to elsewhere', async () => {
    const apps = await serveApps()
    const { page, problems } = await arrive(browser, 'Ada', apps.url)
    const live = page.locator('#live')
    await live.getByText('Nobody is here yet').waitFor()
    const ben = await arrive(browser, 'Ben', `${apps.url}/rich-text/#shared`)
    await live.getByText('1 person in 1 document now').waitFor()
    expect(await seriousFaults(page)).toEqual([])

    const field = page.getByPlaceholder('Link or name')
    await field.fill('https://example.org/rich-text/#shared')
    await field.press('Enter')
    await page.getByRole('alert').getByText('another server').waitFor()
    await field.fill(ben.page.url())
    await field.press('Enter')
    await page.locator('#people', { hasText: 'Ben' }).waitFor()

    await page.goto(apps.url)
    await field.fill('a name & more')
    await field.press('Enter')
    await page.locator('h1', { hasText: 'a name & more' }).waitFor()
    await page.goto(apps.url)
    await page.getByRole('link', { name: 'New document' }).click()
    await page.locator('.save', { hasText: 'Saved' }).waitFor()
    expect(new URL(page.url()).hash).toMatch(/^#([a-z2-9]{4}-){3}[a-z2-9]{4}$/)
    expect([...problems, ...ben.problems]).toEqual([])
  })

  test.each(['light', 'dark'] as const)('axe finds nothing serious (%s)', async (colorScheme) => {
    const apps = await serveApps()
    const viewport = { width: 390, height: 844 }
    for (const path of ['/', '/editors/']) {
      const { page } = await arrive(browser, 'Ada', apps.url + path, { colorScheme, viewport })
      await page.locator('.app').first().waitFor()
      expect(await seriousFaults(page)).toEqual([])
      // Nothing sticks out at the side of a phone.
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390)
    }
  })
})
