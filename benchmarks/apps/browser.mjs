import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import { quantile } from '../report.mjs'

export function launchBrowser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
  })
}

/** A page of somebody, and what the browser knows about its work. */
export async function openWindow(browser) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } })
  const page = await context.newPage()
  page.on('pageerror', (error) => console.error(error))
  const debug = await context.newCDPSession(page)
  // Processor time of the page's main thread, not time that passed: others use this machine too.
  await debug.send('Performance.enable', { timeDomain: 'threadTicks' })
  return { page, debug }
}

/** From now on the page counts its frames, which keeps it drawing. */
export async function countFrames({ page }) {
  await page.evaluate(watchFrames)
}

/** Runs in the page: notes when frames begin, and tasks of more than 50 ms. */
function watchFrames() {
  const seen = { deltas: [], longTasks: [] }
  window.frames_ = seen
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) seen.longTasks.push(duration)
  }).observe({ type: 'longtask' })
  let before = performance.now()
  const next = () => {
    const now = performance.now()
    seen.deltas.push(now - before)
    before = now
    requestAnimationFrame(next)
  }
  requestAnimationFrame(next)
}

/** Processor time of the page's main thread so far, in milliseconds: all, and what of it was JavaScript and layout. */
export async function mainThread({ debug }) {
  const { metrics } = await debug.send('Performance.getMetrics')
  const of = (wanted) => metrics.find(({ name }) => name === wanted).value * 1000
  return {
    all: of('TaskDuration'),
    script: of('ScriptDuration'),
    layout: of('LayoutDuration') + of('RecalcStyleDuration'),
  }
}

/** A CPU profile of what `act` does, for tools that show such files. */
export async function profiled({ debug }, folder, name, act) {
  if (folder === null) return act()
  await debug.send('Profiler.enable')
  await debug.send('Profiler.start')
  await act()
  const { profile } = await debug.send('Profiler.stop')
  const file = join(folder, `${name.replaceAll(/\W+/g, '-')}.cpuprofile`)
  writeFileSync(file, JSON.stringify(profile))
}

/** What the frames were like while `act` ran. */
export async function measureFrames(window, what, act) {
  const { page } = window
  await page.evaluate(() => Object.assign(window.frames_, { deltas: [], longTasks: [] }))
  const before = await mainThread(window)
  const startedAt = performance.now()
  await act()
  const seconds = (performance.now() - startedAt) / 1000
  const after = await mainThread(window)
  const { deltas, longTasks } = await page.evaluate(() => window.frames_)
  return {
    what,
    'frames/s': (deltas.length / seconds).toFixed(0),
    'frame p50 ms': quantile(deltas, 0.5).toFixed(1),
    'p99 ms': quantile(deltas, 0.99).toFixed(1),
    'longest ms': Math.max(...deltas).toFixed(0),
    'tasks over 50 ms': longTasks.length,
    'main thread cpu': percent((after.all - before.all) / 1000 / seconds),
    'of it script': percent((after.script - before.script) / 1000 / seconds),
  }
}

function percent(share) {
  return `${(share * 100).toFixed(0)} %`
}
