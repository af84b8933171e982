// `npm run bench:apps`: how smooth the example apps are in a browser: a whiteboard with many shapes and moving people, and a
// long rich text. The server is `y-rooms serve`, the pages are those that users get, the browser is headless Chromium.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { launchBrowser } from './apps/browser.mjs'
import { measureRichText } from './apps/rich-text.mjs'
import { startApps } from './apps/server.mjs'
import { measureWhiteboard } from './apps/whiteboard.mjs'
import { printMachine } from './report.mjs'

const { values } = parseArgs({
  options: {
    app: { type: 'string', default: 'whiteboard,rich-text' },
    elements: { type: 'string', default: '2000' },
    people: { type: 'string', default: '10' },
    seconds: { type: 'string', default: '8' },
    bytes: { type: 'string', default: '1000000' },
    keys: { type: 'string', default: '60' },
    /** A folder for one CPU profile of the page for each row; it costs time itself. */
    profile: { type: 'string' },
  },
})
const settings = {
  elements: Number(values.elements),
  people: Number(values.people),
  seconds: Number(values.seconds),
  bytes: Number(values.bytes),
  keys: Number(values.keys),
  profile: values.profile ?? null,
}
const measurements = { whiteboard: measureWhiteboard, 'rich-text': measureRichText }

printMachine()
for (const app of values.app.split(',')) {
  const directory = await mkdtemp(join(tmpdir(), 'y-rooms-apps-'))
  const browser = await launchBrowser()
  const apps = startApps(directory)
  try {
    await measurements[app](apps, browser, settings)
  } finally {
    await browser.close()
    await apps.close()
    await rm(directory, { recursive: true, force: true })
  }
}
