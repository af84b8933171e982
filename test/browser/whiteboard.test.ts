import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { seriousFaults } from './accessibility.ts'
import { executablePath, launchChromium } from '../support/chromium.ts'
import { eventually } from '../support/patience.ts'
import { readDocument } from '../support/raw-client.ts'
import { arrive, badge, type Person } from './person.ts'
import { serveApps } from './served-apps.ts'

interface Drawn {
  readonly id: string
  readonly type: string
  readonly x: number
  readonly y: number
  readonly strokeColor: string
  readonly isDeleted: boolean
}

/** Everything on the board but what each browser counts for itself, from back to front. */
function drawn({ page }: Person): Promise<Drawn[]> {
  return page.evaluate(() => {
    const api = (
      window as unknown as { excalidraw: { getSceneElementsIncludingDeleted(): object[] } }
    ).excalidraw
    return api.getSceneElementsIncludingDeleted().map((element) => {
      const {
        version: _,
        versionNonce: __,
        updated: ___,
        ...rest
      } = element as Drawn & {
        version: number
        versionNonce: number
        updated: number
      }
      return rest
    })
  })
}

async function visible(person: Person): Promise<Drawn[]> {
  return (await drawn(person)).filter(({ isDeleted }) => !isDeleted)
}

/** Waits until the board shows so many shapes. */
async function shows(person: Person, count: number): Promise<void> {
  await expect.poll(async () => (await visible(person)).length).toBe(count)
}

async function open(browser: Browser, name: string, address: string): Promise<Person> {
  const person = await arrive(browser, name, address)
  await person.page.locator('canvas.interactive').waitFor()
  await person.page.getByRole('group', { name: 'My changes' }).waitFor()
  // Out of the field for one's name: the keys choose tools.
  await person.page.keyboard.press('Enter')
  return person
}

/** Draws with a key that chooses the tool. */
async function draw({ page }: Person, key: string, x: number, y: number): Promise<void> {
  await page.keyboard.press(key)
  await page.mouse.move(x, y)
  await page.mouse.down()
  await page.mouse.move(x + 40, y + 30, { steps: 4 })
  await page.mouse.move(x + 90, y + 70, { steps: 4 })
  await page.mouse.up()
}

/** The bytes of a drawn picture, so wide and high. */
function picture({ page }: Person, width: number, height: number): Promise<string> {
  return page.evaluate(
    ([wide, high]) => {
      const canvas = document.createElement('canvas')
      Object.assign(canvas, { width: wide, height: high })
      const context = canvas.getContext('2d')!
      context.fillStyle = '#2f5bd3'
      context.fillRect(0, 0, wide, high)
      context.fillStyle = '#ffc94d'
      context.fillRect(wide / 4, high / 4, wide / 2, high / 2)
      return canvas.toDataURL('image/png').split(',')[1]!
    },
    [width, height] as const,
  )
}

/** Drops a file onto the board. */
async function drop({ page }: Person, base64: string): Promise<void> {
  await page.locator('canvas.interactive').evaluate((canvas, content) => {
    const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0))
    const dataTransfer = new DataTransfer()
    dataTransfer.items.add(new File([bytes], 'picture.png', { type: 'image/png' }))
    const place = { clientX: 500, clientY: 350, bubbles: true, cancelable: true }
    canvas.dispatchEvent(new DragEvent('drop', { ...place, dataTransfer }))
  }, base64)
}

/** What this page has of the images on its board, and how they look. */
function images({ page }: Person): Promise<unknown[]> {
  return page.evaluate(() => {
    interface Api {
      getFiles(): Record<string, { dataURL: string; mimeType: string }>
      getSceneElements(): readonly { type: string; fileId?: string; status?: string }[]
    }
    const api = (window as unknown as { excalidraw: Api }).excalidraw
    const files = api.getFiles()
    return api
      .getSceneElements()
      .filter(({ type, fileId = '' }) => type === 'image' && files[fileId] !== undefined)
      .map(({ fileId = '', status }) => ({ fileId, status, file: files[fileId]!.dataURL.length }))
      .sort((one, other) => (one.fileId < other.fileId ? -1 : 1))
  })
}

/** Waits until both have the same images, so many, and the server has them. */
async function sameImages(one: Person, other: Person, count: number): Promise<void> {
  const saved = Array.from({ length: count }, () => expect.objectContaining({ status: 'saved' }))
  await expect.poll(() => images(one)).toEqual(saved)
  const expected = await images(one)
  await expect.poll(() => images(other)).toEqual(expected)
}

describe.skipIf(executablePath === undefined)('the whiteboard in a browser', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launchChromium()
  })
  afterAll(() => browser.close())

  test('two people draw through a killed server and a cut cable, and both boards are equal', async () => {
    const apps = await serveApps()
    const address = `${apps.url}/whiteboard/#plan`
    const ada = await open(browser, 'Ada', address)
    const ben = await open(browser, 'Ben', address)
    await draw(ada, 'r', 300, 200)
    await draw(ben, 'o', 500, 200)
    await Promise.all([shows(ada, 2), shows(ben, 2)])
    await Promise.all([badge(ada, 'Saved'), badge(ben, 'Saved')])

    await apps.kill()
    await draw(ada, 'd', 300, 400)
    await badge(ada, 'Not saved – offline')
    await apps.start()
    await shows(ben, 3)

    apps.network.cut()
    await badge(ben, 'Offline – all edits saved')
    await draw(ada, 'a', 500, 400)
    await draw(ben, 'p', 700, 400)
    apps.network.restore()
    await Promise.all([shows(ada, 5), shows(ben, 5)])
    await Promise.all([badge(ada, 'Saved'), badge(ben, 'Saved')])
    await eventually(async () => expect(await drawn(ada)).toEqual(await drawn(ben)))

    const before = await drawn(ben)
    await ben.page.reload()
    await ben.page.getByRole('group', { name: 'My changes' }).waitFor()
    await shows(ben, 5)
    expect(await drawn(ben)).toEqual(before)
    // Looking is not changing.
    await badge(ben, 'Saved')
    expect([...ada.problems, ...ben.problems]).toEqual([])
  })

  test('an image is a file of the server: the other sees it, a killed server and a reload keep it, and no byte of it is in the document', async () => {
    const apps = await serveApps()
    const address = `${apps.url}/whiteboard/#pictures`
    const ada = await open(browser, 'Ada', address)
    const ben = await open(browser, 'Ben', address)
    await drop(ada, await picture(ada, 400, 300))
    await shows(ben, 1)
    await sameImages(ada, ben, 1)
    await badge(ada, 'Saved')
    const doc = await readDocument(apps.url, 'whiteboard/pictures')
    expect(JSON.stringify(doc.getMap('elements'))).not.toContain('base64')
    expect([...doc.getMap('images').values()]).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)])

    // Without a server it is here, and nowhere called saved; on return it is sent.
    await apps.kill()
    await badge(ada, 'Offline – all edits saved')
    await drop(ada, await picture(ada, 2000, 1500))
    await shows(ada, 2)
    await badge(ada, 'Not saved – offline')
    await apps.start()
    await badge(ada, 'Saved')
    await sameImages(ada, ben, 2)
    await ben.page.reload()
    await ben.page.getByRole('group', { name: 'My changes' }).waitFor()
    await sameImages(ada, ben, 2)
    expect([...ada.problems, ...ben.problems]).toEqual([])
  })

  test('one moves and another recolours the same shape while the cable is cut: both are kept', async () => {
    const apps = await serveApps()
    const address = `${apps.url}/whiteboard/#colours`
    const ada = await open(browser, 'Ada', address)
    const ben = await open(browser, 'Ben', address)
    await draw(ada, 'r', 300, 300)
    await shows(ben, 1)
    await badge(ada, 'Saved')
    apps.network.cut()
    await badge(ada, 'Offline – all edits saved')
    const [before] = await visible(ada)
    // Still selected after it was drawn.
    await ada.page.keyboard.press('ArrowRight')
    await ben.page.keyboard.press('1')
    await ben.page.mouse.click(300, 330)
    await ben.page.getByTestId('color-top-pick-#e03131').first().click()
    apps.network.restore()
    for (const person of [ada, ben])
      await expect
        .poll(() => visible(person))
        .toMatchObject([{ strokeColor: '#e03131', y: before?.y }])
    // Each has its own change at once, and the other's when the cable is whole again.
    for (const person of [ada, ben])
      await expect.poll(async () => (await visible(person))[0]?.x).toBeGreaterThan(before?.x ?? 0)
    expect([...ada.problems, ...ben.problems]).toEqual([])
  })

  test('undo takes back my own shape; pointers carry names; a chip follows somebody', async () => {
    const apps = await serveApps()
    const address = `${apps.url}/whiteboard/#together`
    const ada = await open(browser, 'Ada', address)
    const ben = await open(browser, 'Ben', address)
    await draw(ada, 'r', 300, 200)
    await shows(ben, 1)
    await draw(ben, 'o', 500, 200)
    await shows(ada, 2)
    await ada.page.keyboard.press('Control+z')
    await Promise.all([shows(ada, 1), shows(ben, 1)])
    expect((await visible(ada))[0]?.type).toBe('ellipse')
    await ada.page.getByRole('button', { name: 'Redo' }).click()
    await shows(ben, 2)

    const pointers = (): Promise<string[]> =>
      ada.page.evaluate(() => {
        const { excalidraw } = window as unknown as {
          excalidraw: { getAppState(): { collaborators: Map<string, Record<string, unknown>> } }
        }
        return [...excalidraw.getAppState().collaborators.values()].map(
          ({ username, pointer }) =>
            `${String(username)} ${pointer === undefined ? 'nowhere' : 'here'}`,
        )
      })
    await ben.page.mouse.move(600, 500, { steps: 3 })
    await expect.poll(pointers).toEqual(['Ben here'])

    const scroll = (person: Person): Promise<number> =>
      person.page.evaluate(() => {
        const { excalidraw } = window as unknown as {
          excalidraw: { getAppState(): { scrollX: number } }
        }
        return Math.round(excalidraw.getAppState().scrollX)
      })
    await ada.page.getByRole('button', { name: 'Follow Ben' }).click()
    await ada.page.locator('#people [aria-pressed=true]').waitFor()
    await ben.page.mouse.wheel(700, 0)
    await expect.poll(() => scroll(ben)).toBeLessThan(-100)
    await expect.poll(async () => (await scroll(ada)) - (await scroll(ben))).toBe(0)
    await ada.page.mouse.move(400, 400)
    await ada.page.mouse.wheel(0, 300)
    await ada.page.locator('#people [aria-pressed=false]').waitFor()
    expect([...ada.problems, ...ben.problems]).toEqual([])
  })

  test('axe finds nothing serious in what is ours', async () => {
    const apps = await serveApps()
    const ada = await open(browser, 'Ada', `${apps.url}/whiteboard/#empty`)
    expect(await seriousFaults(ada.page, ['.excalidraw .App-menu', '.excalidraw footer'])).toEqual(
      [],
    )
  })
})
