import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { seriousFaults } from './accessibility.ts'
import { executablePath, launchChromium } from '../support/chromium.ts'
import { arrive, badge, type Person } from './person.ts'
import { serveApps } from './served-apps.ts'

/** Every page of examples/editors, and what there takes the typing. */
const PAGES = {
  codemirror: '.cm-content',
  prosemirror: '.ProseMirror',
  quill: '.ql-editor',
  monaco: '.view-lines',
  textarea: 'textarea',
  lexical: '.lexical',
  blocknote: '.bn-editor',
  milkdown: '.ProseMirror',
  slate: '[data-slate-editor]',
} as const

/** What the editors draw for other people. */
const CARETS = '.cm-ySelectionCaret, .caret, .ql-cursors'

/** What is written, without the carets that are drawn into it. */
function written({ page }: Person, selector: string): Promise<string> {
  return page.locator(selector).evaluate((editor, carets) => {
    if (editor instanceof HTMLTextAreaElement) return editor.value
    const copy = editor.cloneNode(true) as Element
    for (const caret of copy.querySelectorAll(carets)) caret.remove()
    // What editors put beside a caret so that it has a height.
    return copy.textContent.replaceAll(/[\u2060\uFEFF]/g, '')
  }, CARETS)
}

const characters = (text: string): string => [...text.replaceAll(/\s/g, '')].sort().join('')

describe.skipIf(executablePath === undefined)('the editor gallery in a browser', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launchChromium()
  })
  afterAll(() => browser.close())

  test.each(Object.entries(PAGES))(
    '%s: two people, a killed server, a cut cable and a reload, and nothing is lost or doubled; then nobody may write',
    async (editor, selector) => {
      const apps = await serveApps()
      const address = `${apps.url}/editors/${editor}/#draft`
      const ada = await arrive(browser, 'Ada', address)
      const ben = await arrive(browser, 'Ben', address, { colorScheme: 'dark' })
      const both = [ada, ben]
      const type = async (left: string, right: string): Promise<void> => {
        await Promise.all([
          ada.page.keyboard.type(left, { delay: 10 }),
          ben.page.keyboard.type(right, { delay: 10 }),
        ])
      }
      const saved = async (): Promise<void> => {
        await Promise.all(both.map((person) => badge(person, 'Saved')))
      }
      for (const { page } of both) await page.locator(selector).click()
      await type('one two three ', 'four five six ')
      await saved()

      const typing = type('crash ', 'bang ')
      await apps.kill()
      await typing
      await badge(ada, 'Not saved – offline')
      await apps.start()
      await saved()

      apps.network.cut()
      await badge(ben, 'Offline – all edits saved')
      await type('offline ', 'too ')
      await badge(ben, 'Not saved – offline')
      apps.network.restore()
      await saved()

      const all = characters('one two three four five six crash bang offline too')
      for (const person of both)
        await expect.poll(async () => characters(await written(person, selector))).toBe(all)
      const text = await written(ada, selector)
      expect(await written(ben, selector)).toBe(text)
      // With the other's caret in the text, one in a light page and one in a dark one.
      for (const { page } of both) expect(await seriousFaults(page)).toEqual([])
      await ben.page.reload()
      await expect.poll(() => written(ben, selector)).toBe(text)

      await apps.kill()
      await apps.start('read')
      for (const { page } of both) await page.locator('html[data-read-only]').waitFor()
      await type('not', 'now')
      await ada.page.keyboard.press('Control+z')
      await saved()
      for (const person of both) expect(await written(person, selector)).toBe(text)
      expect([...ada.problems, ...ben.problems]).toEqual([])
    },
  )

  // These begin an empty document by themselves. So does Slate, which cannot draw one otherwise.
  test.each(['lexical', 'blocknote'] as const)(
    '%s: an empty document that is open for reading only is no refused change',
    async (editor) => {
      const apps = await serveApps()
      await apps.kill()
      await apps.start('read')
      const ada = await arrive(browser, 'Ada', `${apps.url}/editors/${editor}/#empty`)
      await ada.page.locator(`html[data-read-only] ${PAGES[editor]}`).waitFor()
      // What the page had to say, it has said before it can notice this.
      apps.network.cut()
      await badge(ada, 'Offline – all edits saved')
      expect(ada.problems).toEqual([])
    },
  )
})
