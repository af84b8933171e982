import { setTimeout as pause } from 'node:timers/promises'
import { printTable, quantile } from '../report.mjs'
import { mainThread, openWindow, profiled } from './browser.mjs'
import { textOf } from './long-text.mjs'

const NAME = 'bench'
/** A fast writer: eight keys a second. */
const KEY_EVERY_MS = 125

export async function measureRichText(apps, browser, { bytes: wanted, keys, profile }) {
  const { url, bytes } = await apps.serve(`rich-text/${NAME}`, textOf(wanted))
  console.log(`rich text: ${bytes} bytes\n`)
  const window = await openWindow(browser)
  const { page } = window
  await page.addInitScript(watchKeys)
  const rows = []
  const opened = performance.now()
  await page.goto(`${url}/rich-text/#${NAME}`)
  await page.locator('#editor[aria-busy=false]').waitFor()
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0))))
  const { all } = await mainThread(window)
  console.log(
    `open: ${(performance.now() - opened).toFixed(0)} ms until it can be written in, main thread ${all.toFixed(0)} ms\n`,
  )
  await pause(3000)
  const paragraphs = await page.locator('.tiptap > p').count()
  for (const [where, index] of [
    ['beginning', 0],
    ['middle', Math.floor(paragraphs / 2)],
    ['end', paragraphs - 1],
  ]) {
    await page.locator('.tiptap > p').nth(index).click()
    await pause(1000)
    const before = await mainThread(window)
    const what = `typing at the ${where}`
    await profiled(window, profile, what, () => type(page, keys))
    const after = await mainThread(window)
    const latencies = await page.evaluate(() => window.keys_.splice(0))
    if (latencies.length !== keys) throw new Error(`${latencies.length} of ${keys} keys were seen`)
    const perKey = (part) => ((after[part] - before[part]) / keys).toFixed(1)
    rows.push({
      what,
      'key to frame p50 ms': quantile(latencies, 0.5).toFixed(1),
      'p99 ms': quantile(latencies, 0.99).toFixed(1),
      'longest ms': Math.max(...latencies).toFixed(0),
      'main thread cpu ms per key': perKey('all'),
      'of it script': perKey('script'),
      'of it layout': perKey('layout'),
    })
  }
  printTable(rows)
}

/** Runs in the page: from the key, as the browser dates it, until the frame with it was handed over. */
function watchKeys() {
  window.keys_ = []
  addEventListener(
    'keydown',
    ({ timeStamp }) => {
      requestAnimationFrame(() => {
        const channel = new MessageChannel()
        // The first task after the frame was painted.
        channel.port1.addEventListener('message', () =>
          window.keys_.push(performance.now() - timeStamp),
        )
        channel.port1.start()
        channel.port2.postMessage(null)
      })
    },
    { capture: true },
  )
}

async function type(page, keys) {
  for (let count = 0; count < keys; count++) {
    await page.keyboard.press(count % 6 === 5 ? 'Space' : 'e')
    await pause(KEY_EVERY_MS)
  }
}
