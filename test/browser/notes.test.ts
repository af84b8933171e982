import { cp, readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { executablePath, launchChromium, launchProfile } from '../support/chromium.ts'
import { readDocument } from '../support/raw-client.ts'
import { tempDirectory } from '../support/temp-directory.ts'
import { seriousFaults } from './accessibility.ts'
import { arrive, badge, visit, type Person } from './person.ts'
import { serveApps } from './served-apps.ts'

const built = fileURLToPath(new URL('../../dist/examples', import.meta.url))

const SAVED = 'All changes saved'
const KEPT = 'Saved on this device'

async function write({ page }: Person, title: string, text: string): Promise<void> {
  await page.getByRole('button', { name: 'New note' }).click()
  await page.getByLabel('Title of the note').fill(title)
  await page.locator('.cm-content').click()
  await page.keyboard.type(text)
}

async function open({ page }: Person, title: string): Promise<void> {
  await page.locator('.note-item', { hasText: title }).click()
  await page.locator('.note-item[aria-current]', { hasText: title }).waitFor()
}

async function addTodo({ page }: Person, text: string): Promise<void> {
  await page.getByLabel('Something to do').fill(text)
  await page.getByLabel('Something to do').press('Enter')
}

/** The text of the note that is shown. */
function shownText({ page }: Person): Promise<string> {
  return page.locator('.cm-content').evaluate((content) => {
    const copy = content.cloneNode(true) as Element
    for (const drawn of copy.querySelectorAll('.cm-ySelectionCaret, .cm-placeholder'))
      drawn.remove()
    return [...copy.querySelectorAll('.cm-line')].map((line) => line.textContent).join('\n')
  })
}

/** All words that the badge shows from now on, one after the other. */
async function watchBadge(page: Page): Promise<() => Promise<string[]>> {
  await page.evaluate(() => {
    const text = document.querySelector('.save-text')!
    const shown = [text.textContent]
    new MutationObserver(() => shown.push(text.textContent)).observe(text, {
      childList: true,
      characterData: true,
      subtree: true,
    })
    Object.assign(globalThis, { shown })
  })
  return () => page.evaluate(() => (globalThis as unknown as { shown: string[] }).shown)
}

/** The app is on this device: another visit needs no server. */
async function untilKept({ page }: Person): Promise<void> {
  await page.evaluate(async () => {
    await navigator.serviceWorker.ready
    if (navigator.serviceWorker.controller === null)
      await new Promise((resolve) =>
        navigator.serviceWorker.addEventListener('controllerchange', resolve),
      )
  })
}

/** The texts of all notes of a notebook, by their titles, as a stranger finds them on the server. */
async function storedNotes(url: string, notebook: string): Promise<Record<string, string>> {
  const list = (await readDocument(url, `notes/${notebook}`)).getMap('notes')
  const entries = Object.entries(list.toJSON() as Record<string, { title: string }>)
  const notes = entries.map(async ([id, { title }]) => {
    const doc = await readDocument(url, `notes/${notebook}/${id}`)
    return [title, doc.getText('body').toJSON()] as const
  })
  return Object.fromEntries(await Promise.all(notes))
}

describe.skipIf(executablePath === undefined)('notes in a browser', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launchChromium()
  })
  afterAll(() => browser.close())

  test('T61 without a network it loads, edits, deletes, survives the end of the browser, and uploads all of it on return', async () => {
    const apps = await serveApps()
    const address = `${apps.url}/notes/#trip`
    const profile = await tempDirectory()
    let context = await launchProfile(profile)
    let ada = await visit(context, 'Ada', address)
    await write(ada, 'Packing', 'hello rucksack')
    await badge(ada, SAVED)
    await untilKept(ada)
    const devtools = await context.newCDPSession(ada.page)
    expect(await devtools.send('Page.getInstallabilityErrors')).toEqual({
      installabilityErrors: [],
    })

    await apps.kill()
    apps.network.cut()
    await ada.page.reload()
    await open(ada, 'Packing')
    const shown = await watchBadge(ada.page)
    await expect.poll(() => shownText(ada)).toBe('hello rucksack')
    // Nothing but a deletion.
    await ada.page.locator('.cm-content').click()
    await ada.page.keyboard.press('Control+Home')
    for (let count = 0; count < 6; count++) await ada.page.keyboard.press('Delete')
    await badge(ada, KEPT)
    await ada.page.locator('.note-item', { hasText: 'Not on the server yet' }).waitFor()
    await write(ada, 'Written on the train', 'no network here')
    await addTodo(ada, 'Buy a stove')
    await badge(ada, KEPT)
    const whileOffline = await shown()
    expect(whileOffline.slice(whileOffline.indexOf(KEPT))).not.toContain(SAVED)
    await ada.page.locator('.save[data-offline]').waitFor()
    const before = ada.problems
    await context.close()

    context = await launchProfile(profile)
    ada = await visit(context, 'Ada', address)
    await badge(ada, KEPT)
    await open(ada, 'Written on the train')
    await expect.poll(() => shownText(ada)).toBe('no network here')
    await ada.page.getByRole('button', { name: 'Storage' }).click()
    await ada.page.locator('#pending li', { hasText: 'Packing: ' }).waitFor()
    await ada.page.getByRole('button', { name: 'Close' }).click()

    await apps.start()
    apps.network.restore()
    await badge(ada, SAVED)
    expect(await storedNotes(apps.url, 'trip')).toEqual({
      Packing: 'rucksack',
      'Written on the train': 'no network here',
    })
    expect([...before, ...ada.problems]).toEqual([])
    await context.close()
  })

  test('T4 T60 a server that is killed between an edit and its disk: the badge never said saved, and nothing is lost', async () => {
    const apps = await serveApps()
    const ada = await arrive(browser, 'Ada', `${apps.url}/notes/#held`)
    await write(ada, 'Draft', 'one')
    await badge(ada, SAVED)
    await apps.kill()
    await apps.start('hold')
    await ada.page.locator('.save:not([data-offline])').waitFor()
    const shown = await watchBadge(ada.page)
    const held = apps.nextLine()
    await ada.page.locator('.cm-content').click()
    await ada.page.keyboard.press('Control+End')
    await ada.page.keyboard.type(' two')
    expect(await held).toContain('held')
    await apps.kill()
    await badge(ada, KEPT)
    expect((await shown()).slice(1)).not.toContain(SAVED)
    await apps.start()
    await badge(ada, SAVED)
    expect(await storedNotes(apps.url, 'held')).toEqual({ Draft: 'one two' })
    expect(ada.problems).toEqual([])
  })

  test('two people and a second tab write in one note, tick, delete and bring back; after a cut cable all are equal', async () => {
    const apps = await serveApps()
    const address = `${apps.url}/notes/#shared`
    const ada = await arrive(browser, 'Ada', address)
    await write(ada, 'Market', 'from Ada. ')
    const tab = await visit(ada.page.context(), 'Ada', address)
    const ben = await arrive(browser, 'Ben', address)
    const all = [ada, tab, ben]
    for (const person of [tab, ben]) await open(person, 'Market')
    await ada.page.locator('#people', { hasText: 'Ben' }).waitFor()
    await addTodo(ben, 'Bread')
    await ada.page.getByLabel('Done: Bread').check()
    await tab.page.locator('.todo[data-done]').waitFor()
    await ben.page.locator('.todo[data-done]').waitFor()

    apps.network.cut()
    await Promise.all([
      (async () => {
        await ada.page.locator('.cm-content').click()
        await ada.page.keyboard.press('Control+End')
        await ada.page.keyboard.type('ADA')
      })(),
      (async () => {
        await ben.page.locator('.cm-content').click()
        await ben.page.keyboard.press('Control+End')
        await ben.page.keyboard.type('BEN')
        await addTodo(ben, 'Cheese')
      })(),
    ])
    await badge(ada, KEPT)
    // The other tab of the same browser needs no server.
    await tab.page.locator('.cm-content', { hasText: 'ADA' }).waitFor()
    apps.network.restore()
    for (const { page } of all) {
      await page.locator('.cm-content', { hasText: 'ADA' }).waitFor()
      await page.locator('.cm-content', { hasText: 'BEN' }).waitFor()
      await page.getByLabel('Done: Cheese').waitFor()
    }
    await Promise.all(all.map((person) => badge(person, SAVED)))
    const [first, ...others] = await Promise.all(all.map(shownText))
    expect(others).toEqual([first, first])

    await ben.page.getByRole('button', { name: 'Delete' }).click()
    await ada.page.getByText('No notes yet.').waitFor()
    await ben.page.getByRole('button', { name: 'Bring it back' }).click()
    await open(ada, 'Market')
    await expect.poll(() => shownText(ada)).toBe(first)
    expect(all.flatMap(({ problems }) => problems)).toEqual([])
  })

  test('a newer version of the app waits until it is asked for, and is there whole', async () => {
    const examples = `${await tempDirectory()}/examples`
    await cp(built, examples, { recursive: true })
    const apps = await serveApps(examples)
    const ada = await arrive(browser, 'Ada', `${apps.url}/notes/#kept`)
    await write(ada, 'Mine', 'as it was')
    await badge(ada, SAVED)
    await untilKept(ada)
    const edit = async (file: string, from: RegExp, to: string): Promise<void> => {
      const text = await readFile(`${examples}/notes/${file}`, 'utf8')
      expect(text).toMatch(from)
      await writeFile(`${examples}/notes/${file}`, text.replace(from, to))
    }
    await edit('index.html', /<title>Notes</, '<title>Better notes<')
    await edit('sw.js', /"version":"\w+"/, '"version":"newer"')
    await ada.page.reload()
    await ada.page.getByText('A new version of this app is here.').waitFor()
    expect(await ada.page.title()).toBe('kept – Notes')
    await open(ada, 'Mine')
    await ada.page.locator('.cm-content').click()
    await ada.page.keyboard.press('Control+End')
    await ada.page.keyboard.type(', and more')
    await ada.page.getByRole('button', { name: 'Use it now' }).click()
    await ada.page.waitForFunction(() => document.title === 'kept – Better notes')
    // Of the one before nothing is left, and the new one needs no server.
    await ada.page.waitForFunction(async () => (await caches.keys()).length === 1)
    await apps.kill()
    apps.network.cut()
    await ada.page.reload()
    expect(await ada.page.title()).toBe('kept – Better notes')
    await open(ada, 'Mine')
    await expect.poll(() => shownText(ada)).toBe('as it was, and more')
    expect(ada.problems).toEqual([])
  })

  test('a notebook that is deleted on the server begins anew, and what was not saved becomes a note', async () => {
    const apps = await serveApps()
    const ada = await arrive(browser, 'Ada', `${apps.url}/notes/#reset`)
    await write(ada, 'Poem', 'a line')
    await badge(ada, SAVED)
    const list = (await readDocument(apps.url, 'notes/reset')).getMap('notes')
    const name = encodeURIComponent(`notes/reset/${[...list.keys()][0]}`)
    const deleted = await fetch(`${apps.url}/api/documents/${name}`, { method: 'DELETE' })
    expect(deleted.status).toBe(204)
    await ada.page.getByText('This note began anew on the server').waitFor()
    await expect.poll(() => shownText(ada)).toBe('')
    await ada.page.getByRole('button', { name: 'Keep mine as a new note' }).click()
    await ada.page.locator('.note-item[aria-current]', { hasText: 'Poem (my copy)' }).waitFor()
    await expect.poll(() => shownText(ada)).toBe('a line')
    await badge(ada, SAVED)
    expect(await storedNotes(apps.url, 'reset')).toEqual({ Poem: '', 'Poem (my copy)': 'a line' })
    expect(ada.problems).toEqual([])
  })

  test.each(['light', 'dark'] as const)(
    'finds, works on a phone and from the keyboard, and axe finds nothing serious (%s)',
    async (colorScheme) => {
      const apps = await serveApps()
      const viewport = { width: 390, height: 844 }
      const ada = await arrive(browser, 'Ada', `${apps.url}/notes/#phone`, {
        colorScheme,
        viewport,
      })
      const { page } = ada
      expect(await seriousFaults(page)).toEqual([])
      await write(ada, 'First', 'apples')
      await addTodo(ada, 'Peel them')
      expect(await seriousFaults(page)).toEqual([])
      await page.getByRole('button', { name: 'All notes' }).click()
      await write(ada, 'Second', 'pears')
      // The way back of a phone.
      await page.goBack()
      await page.getByLabel('Search in all notes').fill('peel')
      await page.locator('.note-item').getByText('First').waitFor()
      expect(await page.locator('.note-item').count()).toBe(1)
      await page.getByLabel('Search in all notes').fill('plums')
      await page.getByText('No note has “plums”.').waitFor()
      await page.getByLabel('Search in all notes').fill('')
      await page.locator('.note-item').first().focus()
      await page.keyboard.press('Enter')
      await page.locator('.cm-content', { hasText: 'pears' }).waitFor()
      expect(await seriousFaults(page)).toEqual([])
      await page.getByRole('button', { name: 'Storage' }).click()
      await page.getByText(' used of ').waitFor()
      expect(await seriousFaults(page)).toEqual([])
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390)
      expect(ada.problems).toEqual([])
    },
  )
})
