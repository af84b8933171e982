import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { arrive, badge, chromiumPath, launchBrowser, type Person } from './person.ts'
import { serveApps } from './served-apps.ts'

/** What is written, without the carets that are drawn into it. */
function written({ page }: Person): Promise<string> {
  return page.locator('.tiptap').evaluate((editor) => {
    const copy = editor.cloneNode(true) as Element
    for (const caret of copy.querySelectorAll('.caret')) caret.remove()
    return copy.innerHTML.replaceAll(/<(\/?)(img|br)[^>]*>| class="[^"]*"| data-placeholder="[^"]*"/g, '')
  })
}

const characters = (text: string): string =>
  [...text.replaceAll(/<[^>]*>|\s/g, '')].sort().join('')

describe.skipIf(chromiumPath === undefined)('rich text in a browser', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launchBrowser()
  })
  afterAll(() => browser.close())

  test('two people write through a killed server and a cut cable, and both windows are equal', async () => {
    const apps = await serveApps()
    const address = `${apps.url}/rich-text/#meeting`
    const ada = await arrive(browser, 'Ada', address)
    const ben = await arrive(browser, 'Ben', address)
    const both = [ada, ben]
    for (const { page } of both) await page.locator('.tiptap').click()
    await ada.page.locator('#people', { hasText: 'Ben' }).waitFor()
    await ben.page.locator('#people', { hasText: 'Ada' }).waitFor()

    await Promise.all([
      ada.page.keyboard.type('one two three '),
      ben.page.keyboard.type('four five six '),
    ])
    await Promise.all(both.map((person) => badge(person, 'Saved')))
    await ada.page.locator('.caret-name', { hasText: 'Ben' }).waitFor({ state: 'attached' })

    const typing = Promise.all([
      ada.page.keyboard.type('through the crash ', { delay: 20 }),
      ben.page.keyboard.type('and so was this ', { delay: 20 }),
    ])
    await apps.kill()
    await typing
    await badge(ada, 'Not saved – offline')
    await apps.start()
    await Promise.all(both.map((person) => badge(person, 'Saved')))

    apps.network.cut()
    await badge(ben, 'Offline – all edits saved')
    await ada.page.keyboard.type('offline ')
    await ben.page.keyboard.type('offline too ')
    await badge(ben, 'Not saved – offline')
    apps.network.restore()
    await Promise.all(both.map((person) => badge(person, 'Saved')))
    // A word from each, so that both have everything when it is there.
    await ada.page.keyboard.type('ENDA')
    await ben.page.keyboard.type('ENDB')
    for (const { page } of both)
      for (const end of ['ENDA', 'ENDB']) await page.locator('.tiptap', { hasText: end }).waitFor()
    await Promise.all(both.map((person) => badge(person, 'Saved')))

    const left = await written(ada)
    expect(left).toBe(await written(ben))
    // Words may be torn by concurrent typing at one place; no character may be lost or doubled.
    expect(characters(left)).toBe(
      characters(
        'one two three four five six through the crash and so was this offline offline too ENDAENDB',
      ),
    )
    await ben.page.reload()
    await ben.page.locator('.tiptap', { hasText: 'ENDA' }).waitFor()
    expect(await written(ben)).toBe(left)
    expect([...ada.problems, ...ben.problems]).toEqual([])
  }, 90_000)
})
