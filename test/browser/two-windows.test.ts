import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { chromium, type Browser, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { readDocument } from '../support/raw-client.ts'
import { tempDirectory } from '../support/temp-directory.ts'

const bin = fileURLToPath(new URL('../../dist/src/bin.cjs', import.meta.url))
const executablePath = process.env['CHROMIUM']

/** A port that was free a moment ago: the server has to come back on the same one. */
async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  await once(probe, 'close')
  return port
}

async function serve(port: number, data: string): Promise<ChildProcess> {
  const server = spawn(process.execPath, [bin, 'serve', '--port', String(port), '--data', data], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void server.kill('SIGKILL'))
  const [line] = (await once(server.stdout, 'data')) as [Buffer]
  expect(String(line)).toContain(`y-rooms listening on http://127.0.0.1:${port}`)
  return server
}

async function kill(server: ChildProcess): Promise<void> {
  const exited = once(server, 'exit')
  server.kill('SIGKILL')
  await exited
}

// `npm test` finds or installs Chromium and says so when it cannot; without it there is nothing to drive.
describe.skipIf(executablePath === undefined)('two windows in a browser', () => {
  let browser: Browser

  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: executablePath as string,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    })
  })

  afterAll(() => browser.close())

  /** The text of the editor, without the carets of others that are drawn into it. */
  const text = (page: Page): Promise<string> =>
    page.locator('.cm-line').evaluateAll((lines) =>
      lines
        .map((line) => {
          const copy = line.cloneNode(true) as Element
          for (const caret of copy.querySelectorAll('.cm-ySelectionCaret')) caret.remove()
          return copy.textContent
        })
        .join('\n'),
    )
  const badge = (page: Page, expected: string): Promise<void> =>
    page.locator('.save-text', { hasText: expected }).waitFor()

  test('concurrent typing, the server killed and restarted in the middle: both windows and the disk are equal', async () => {
    const data = await tempDirectory()
    const port = await freePort()
    const url = `http://127.0.0.1:${port}`
    let server = await serve(port, data)
    const problems: string[] = []
    const open = async (name: string): Promise<Page> => {
      // A context of its own is another person's browser.
      const context = await browser.newContext()
      const page = await context.newPage()
      page.on('pageerror', (error) => problems.push(String(error)))
      page.on('console', (message) => {
        if (message.text().includes('Yjs was already imported')) problems.push(message.text())
      })
      page.on('request', (request) => {
        const { protocol, host } = new URL(request.url())
        if (protocol.startsWith('http') && host !== `127.0.0.1:${port}`)
          problems.push(request.url())
      })
      await page.goto(`${url}/#meeting`)
      await page.locator('.cm-content').waitFor()
      await page.fill('#my-name', name)
      await page.locator('.cm-content').click()
      return page
    }
    const [ada, ben] = [await open('Ada'), await open('Ben')]
    await ada.locator('#people', { hasText: 'Ben' }).waitFor()
    await ben.locator('#people', { hasText: 'Ada' }).waitFor()

    await Promise.all([ada.keyboard.type('one two three '), ben.keyboard.type('four five six ')])
    await Promise.all([badge(ada, 'Saved'), badge(ben, 'Saved')])
    // The other's cursor carries the name.
    await ada.locator('.cm-ySelectionInfo', { hasText: 'Ben' }).waitFor({ state: 'attached' })

    const typing = Promise.all([
      ada.keyboard.type('written through the crash ', { delay: 20 }),
      ben.keyboard.type('and so was this ', { delay: 20 }),
    ])
    await kill(server)
    await typing
    await badge(ada, 'Not saved')
    await ada.keyboard.type('offline ')
    await ben.keyboard.type('offline too ')
    server = await serve(port, data)
    await Promise.all([badge(ada, 'Saved'), badge(ben, 'Saved')])
    // A word from each, so that both have everything when it is there.
    await ada.keyboard.type('ENDA')
    await ben.keyboard.type('ENDB')
    for (const page of [ada, ben])
      for (const end of ['ENDA', 'ENDB'])
        await page.locator('.cm-content', { hasText: end }).waitFor()
    await Promise.all([badge(ada, 'Saved'), badge(ben, 'Saved')])

    const [left, right] = [await text(ada), await text(ben)]
    expect(left).toBe(right)
    const characters = (value: string): string => [...value.replaceAll(/\s/g, '')].sort().join('')
    // Whole words may be torn by concurrent typing at one place; no character may be lost or doubled.
    expect(characters(left)).toBe(
      characters(
        'one two three four five six written through the crash and so was this offline offline too ENDAENDB',
      ),
    )
    const stored = await readDocument(url, 'meeting')
    expect(stored.getText('body').toString().trim()).toBe(left.trim())
    await kill(server)
    server = await serve(port, data)
    expect((await readDocument(url, 'meeting')).getText('body').toString().trim()).toBe(left.trim())
    expect(problems).toEqual([])
    await kill(server)
  }, 90_000)
})
