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
  await page.addInitScript(watchFrames)
  return { page, debug }
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

/** Processor time of the page's main thread so far, in milliseconds: all of it, and what of it was JavaScript. */
export async function mainThread({ debug }) {
  const { metrics } = await debug.send('Performance.getMetrics')
  const of = (wanted) => metrics.find(({ name }) => name === wanted).value * 1000
  return { all: of('TaskDuration'), script: of('ScriptDuration') }
}

/** What the frames were like while `act` ran. */
export async function measureFrames(window, name, profileFolder, act) {
  const { page, debug } = window
  if (profileFolder !== null) {
    await debug.send('Profiler.enable')
    await debug.send('Profiler.start')
  }
  await page.evaluate(() => Object.assign(window.frames_, { deltas: [], longTasks: [] }))
  const before = await mainThread(window)
  const startedAt = performance.now()
  await act()
  const seconds = (performance.now() - startedAt) / 1000
  const after = await mainThread(window)
  const { deltas, longTasks } = await page.evaluate(() => window.frames_)
  if (profileFolder !== null) {
    const { profile } = await debug.send('Profiler.stop')
    writeFileSync(
      join(profileFolder, `${name.replaceAll(/\W+/g, '-')}.cpuprofile`),
      JSON.stringify(profile),
    )
  }
  return {
    what: name,
    'frames/s': (deltas.length / seconds).toFixed(0),
    'frame p50 ms': quantile(deltas, 0.5).toFixed(1),
    'p99 ms': quantile(deltas, 0.99).toFixed(1),
    'longest ms': Math.max(...deltas).toFixed(0),
    'long tasks': longTasks.length,
    'main thread cpu': percent((after.all - before.all) / 1000 / seconds),
    'of it script': percent((after.script - before.script) / 1000 / seconds),
  }
}

function percent(share) {
  return `${(share * 100).toFixed(0)} %`
}
