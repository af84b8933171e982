import { setTimeout as pause } from 'node:timers/promises'
import { printTable } from '../report.mjs'
import { boardOf } from './board.mjs'
import { countFrames, mainThread, measureFrames, openWindow, profiled } from './browser.mjs'
import { Companion } from './companion.mjs'

const NAME = 'bench'
/** A rectangle in the first quarter, which no companion drags. */
const DRAGGED = 'shape-8'

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
  const everyone = (act) => companions.forEach(act)

  await measure('nobody moves', pause)
  everyone((companion) => companion.movePointer())
  await measure(`${people - 1} pointers move`, pause)
  const shown = await countPointers(page)
  if (shown !== people - 1) throw new Error(`the board shows ${shown} pointers`)
  await measure(`${people} pointers move`, (ms) => wander(page, ms))
  await measure(`${people} pointers, I drag a shape`, (ms) => drag(page, ms))
  everyone((companion) => companion.moveShape())
  const placeBefore = await placeOf(page, companions[0].shape)
  await measure(`${people} pointers, ${people - 1} drag shapes`, (ms) => wander(page, ms))
  if ((await placeOf(page, companions[0].shape)).left === placeBefore.left)
    throw new Error('nobody else dragged a shape')
  everyone((companion) => companion.rest())
  await measure('I move the board', (ms) => pan(page, ms))
  printTable(rows)
  everyone((companion) => companion.leave())
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
  const before = await placeOf(page, DRAGGED)
  // Its left edge: the inside of a shape without a filling takes no hold.
  await page.mouse.move(before.left, before.middle)
  await page.mouse.down()
  await wander(page, ms)
  await page.mouse.up()
  const after = await placeOf(page, DRAGGED)
  if (after.left === before.left) throw new Error('the shape was not dragged')
}

/** Where a shape is in the window. */
function placeOf(page, id) {
  return page.evaluate((wanted) => {
    const { scrollX, scrollY, zoom, offsetLeft, offsetTop } = window.excalidraw.getAppState()
    const { x, y, height } = window.excalidraw
      .getSceneElements()
      .find((shape) => shape.id === wanted)
    return {
      left: (x + scrollX) * zoom.value + offsetLeft,
      middle: (y + height / 2 + scrollY) * zoom.value + offsetTop,
    }
  }, id)
}

/** Companions that the board shows with a pointer. */
function countPointers(page) {
  return page.evaluate(() => {
    const { collaborators } = window.excalidraw.getAppState()
    return [...collaborators.values()].filter(({ pointer }) => pointer !== undefined).length
  })
}

async function pan(page, ms) {
  const startedAt = performance.now()
  await page.mouse.move(640, 450)
  for (let turn = 0; performance.now() - startedAt < ms; turn++) {
    await page.mouse.wheel(turn % 120 < 60 ? 8 : -8, 0)
    await pause(16)
  }
}
