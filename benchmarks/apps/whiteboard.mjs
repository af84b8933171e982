import { setTimeout as pause } from 'node:timers/promises'
import { printTable } from '../report.mjs'
import { boardOf } from './board.mjs'
import { countFrames, mainThread, measureFrames, openWindow, profiled } from './browser.mjs'
import { Companion } from './companion.mjs'

const NAME = 'bench'

export async function measureWhiteboard(apps, browser, { elements, people, seconds, profile }) {
  const { url, bytes } = await apps.serve(`whiteboard/${NAME}`, boardOf(elements))
  console.log(`whiteboard: ${elements} shapes, ${bytes} bytes, ${people} people\n`)
  const window = await openWindow(browser)
  const { page } = window
  const rows = []
  const measure = async (what, act) =>
    rows.push(
      await measureFrames(window, what, () =>
        profiled(window, profile, what, () => act(seconds * 1000)),
      ),
    )

  const opened = performance.now()
  await page.goto(`${url}/whiteboard/#${NAME}`)
  await page.waitForFunction(
    (count) => window.excalidraw?.getSceneElements().length === count,
    elements,
  )
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0))))
  const { all } = await mainThread(window)
  console.log(
    `open: ${(performance.now() - opened).toFixed(0)} ms until it is drawn, main thread ${all.toFixed(0)} ms\n`,
  )
  await page.keyboard.press('Enter')
  // Fonts, and the first drawing of everything at this zoom.
  await pause(3000)
  await countFrames(window)

  const companions = Array.from(
    { length: people - 1 },
    (_, index) => new Companion(url, `whiteboard/${NAME}`, index),
  )
  await Promise.all(companions.map(({ arrived }) => arrived))
  const all_ = (act) => companions.forEach(act)

  await measure('nobody moves', pause)
  all_((companion) => companion.movePointer())
  await measure(`${people - 1} pointers move`, pause)
  await measure(`${people} pointers move`, (ms) => wander(page, ms))
  await measure(`${people} pointers, I drag a shape`, (ms) => drag(page, ms))
  all_((companion) => companion.moveShape())
  await measure(`${people} pointers, ${people - 1} drag shapes`, (ms) => wander(page, ms))
  all_((companion) => companion.rest())
  await measure('I move the board', (ms) => pan(page, ms))
  printTable(rows)
  all_((companion) => companion.leave())
}

/** My own pointer, in circles over the board, sixty times a second. */
async function wander(page, ms) {
  const startedAt = performance.now()
  for (let angle = 0; performance.now() - startedAt < ms; angle += 0.05) {
    await page.mouse.move(640 + 300 * Math.cos(angle), 450 + 250 * Math.sin(angle))
    await pause(16)
  }
}

async function drag(page, ms) {
  const from = await page.evaluate(() => {
    const { scrollX, scrollY, zoom } = window.excalidraw.getAppState()
    const shapes = window.excalidraw.getSceneElements()
    const middle = shapes.find(
      ({ id, type }) => type === 'rectangle' && id >= `shape-${Math.floor(shapes.length / 2)}`,
    )
    // Its left edge: the inside of a shape without a filling takes no hold.
    return {
      x: (middle.x + scrollX) * zoom.value,
      y: (middle.y + middle.height / 2 + scrollY) * zoom.value + 60,
    }
  })
  await page.mouse.move(from.x, from.y)
  await page.mouse.down()
  await wander(page, ms)
  await page.mouse.up()
}

async function pan(page, ms) {
  const startedAt = performance.now()
  await page.mouse.move(640, 450)
  for (let turn = 0; performance.now() - startedAt < ms; turn++) {
    await page.mouse.wheel(turn % 120 < 60 ? 8 : -8, 0)
    await pause(16)
  }
}
