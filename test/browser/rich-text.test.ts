import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { seriousFaults } from './accessibility.ts'
import { executablePath, launchChromium } from '../support/chromium.ts'
import { arrive, badge, type Person } from './person.ts'
import { serveApps } from './served-apps.ts'

/** What is written, without the carets that are drawn into it. */
function written({ page }: Person): Promise<string> {
  return page.locator('.tiptap').evaluate((editor) => {
    const copy = editor.cloneNode(true) as Element
    for (const caret of copy.querySelectorAll('.caret')) caret.remove()
    return copy.innerHTML.replaceAll(
      /<(\/?)(img|br)[^>]*>| class="[^"]*"| data-placeholder="[^"]*"/g,
      '',
    )
  })
}

const characters = (text: string): string => [...text.replaceAll(/<[^>]*>|\s/g, '')].sort().join('')

describe.skipIf(executablePath === undefined)('rich text in a browser', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launchChromium()
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
  })

  test('keys that come faster than frames write what they say', async () => {
    const apps = await serveApps()
    const ada = await arrive(browser, 'Ada', `${apps.url}/rich-text/#fast`)
    await ada.page.locator('.tiptap').click()
    const { keyboard } = ada.page
    const lines = [
      '# Three days in the Jura',
      'We walk from hut to hut. **Nobody carries more than ten kilos**, and the last train home is at 19:04.',
      '## Still to do',
      '- Book the hut above Saint-Cergue',
      'Print the map',
      '',
      '## What we take',
      '- Sleeping bag, rated for frost',
      '',
    ]
    for (const line of lines) {
      await keyboard.type(line)
      await keyboard.press('Enter')
    }
    await badge(ada, 'Saved')
    const blocks = await ada.page
      .locator('.tiptap > *')
      .evaluateAll((all) => all.map(({ tagName }) => tagName))
    expect(blocks).toEqual(['H1', 'P', 'H2', 'UL', 'H2', 'UL', 'P'])
    expect(ada.problems).toEqual([])
  })

  test('undo takes back my words and leaves the others', async () => {
    const apps = await serveApps()
    const address = `${apps.url}/rich-text/#undo`
    const ada = await arrive(browser, 'Ada', address)
    const ben = await arrive(browser, 'Ben', address)
    await ada.page.locator('.tiptap').click()
    await ada.page.keyboard.type('from Ada')
    await ben.page.locator('.tiptap', { hasText: 'from Ada' }).click()
    await ben.page.keyboard.press('Control+End')
    await ben.page.keyboard.press('Enter')
    await ben.page.keyboard.type('from Ben')
    await ada.page.locator('.tiptap', { hasText: 'from Ben' }).waitFor()
    await ada.page.getByLabel('Undo my last change').click()
    await ada.page.locator('.tiptap:not(:has-text("from Ada"))', { hasText: 'from Ben' }).waitFor()
    await ben.page.locator('.tiptap:not(:has-text("from Ada"))', { hasText: 'from Ben' }).waitFor()
    await ada.page.getByLabel('Redo').click()
    await ben.page.locator('.tiptap', { hasText: 'from Ada' }).waitFor()
    expect([...ada.problems, ...ben.problems]).toEqual([])
  })

  test('read-only follows the answer of the server, without a reload', async () => {
    const apps = await serveApps()
    const ada = await arrive(browser, 'Ada', `${apps.url}/rich-text/#notice`)
    const editor = ada.page.locator('.tiptap')
    await editor.click()
    await ada.page.keyboard.type('Closed on Monday')
    await badge(ada, 'Saved')
    await apps.kill()
    await apps.start('read')
    await ada.page.locator('.tiptap[contenteditable=false]').waitFor()
    expect(await ada.page.getByLabel('Bold').isDisabled()).toBe(true)
    await editor.click()
    await ada.page.keyboard.type('!')
    expect(await editor.innerText()).toBe('Closed on Monday')
    await badge(ada, 'Saved')
    await apps.kill()
    await apps.start('write')
    await ada.page.locator('.tiptap[contenteditable=true]').click()
    await ada.page.keyboard.press('Control+End')
    await ada.page.keyboard.type(' and Tuesday')
    await badge(ada, 'Saved')
    await ada.page.reload()
    await editor.getByText('Closed on Monday and Tuesday').waitFor()
    expect(ada.problems).toEqual([])
  })

  test.each(['light', 'dark'] as const)(
    'works from the keyboard alone, and axe finds nothing serious (%s)',
    async (colorScheme) => {
      const apps = await serveApps()
      const ada = await arrive(browser, 'Ada', `${apps.url}/rich-text/#keys`, { colorScheme })
      const ben = await arrive(browser, 'Ben', `${apps.url}/rich-text/#keys`)
      await ben.page.locator('.tiptap').click()
      await ben.page.keyboard.type('[ ] A task')
      const { keyboard } = ada.page
      await ada.page.locator('.tiptap', { hasText: 'A task' }).click()
      await keyboard.press('Control+a')
      // Back through the toolbar, which is one stop, to Bold.
      await keyboard.press('Shift+Tab')
      await keyboard.press('ArrowRight')
      await keyboard.press('ArrowRight')
      await keyboard.press('ArrowRight')
      expect(await ada.page.locator(':focus').getAttribute('aria-label')).toBe('Bold')
      await keyboard.press('Enter')
      await ben.page.locator('.tiptap strong', { hasText: 'A task' }).waitFor()
      await keyboard.press('Control+k')
      await keyboard.type('example.org')
      await keyboard.press('Enter')
      await ben.page.locator('.tiptap a[href="https://example.org"]').waitFor()
      await ada.page.locator('.caret-name', { hasText: 'Ben' }).waitFor({ state: 'attached' })
      expect(await seriousFaults(ada.page)).toEqual([])
      expect([...ada.problems, ...ben.problems]).toEqual([])
    },
  )
})
