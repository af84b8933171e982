import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { RawClient, loadDocument, updateOf } from '../support/raw-client.ts'
import { startServer } from '../support/running-server.ts'
import { tempDirectory } from '../support/temp-directory.ts'

const script = new URL('../fixtures/stock-client.mjs', import.meta.url)

/** Runs the client of docs/protocol.md; resolves lines as they are printed. */
function run(...args: string[]) {
  const child = spawn(process.execPath, [fileURLToPath(script), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let printed = ''
  const listeners = new Set<() => void>()
  child.stdout.on('data', (text: Buffer) => {
    printed += String(text)
    for (const listener of [...listeners]) listener()
  })
  return {
    printed: (line: string): Promise<void> =>
      new Promise((resolve) => {
        const check = (): void => {
          if (!printed.split('\n').includes(line)) return
          listeners.delete(check)
          resolve()
        }
        listeners.add(check)
        check()
      }),
    kill: () => child.kill('SIGKILL'),
  }
}

describe('a stock Socket.IO client', () => {
  test('[REQ4] written from docs/protocol.md joins, edits, receives, and loads a snapshot in chunks', async () => {
    const server = await startServer(await tempDirectory())
    const watcher = await RawClient.connect(server.url)
    const doc = await loadDocument(watcher, 'draft')
    const { document } = await watcher.join('draft', { clientId: doc.clientID })

    const first = run(server.url, 'draft', 'Hi')
    await first.printed('saved 1')
    const second = run(server.url, 'draft', '')
    await second.printed('text Hi')
    await watcher.update(
      document,
      updateOf(doc, () => doc.getText('other').insert(0, 'x')),
    )
    const third = run(server.url, 'draft', 'Oh ')
    await third.printed('saved 3')
    for (const client of [first, second, third]) await client.printed('text Oh Hi')

    for (let part = 0; part < 4; part++)
      await watcher.update(
        document,
        updateOf(doc, () => doc.getText('other').insert(0, 'large '.repeat(40_000))),
      )
    await server.documents.compact('draft')
    const joined = await watcher.join('draft', { clientId: 1 })
    expect(joined.snapshot?.bytes).toBeGreaterThan(900_000)
    const fourth = run(server.url, 'draft', 'Yes ')
    await fourth.printed('text Yes Oh Hi')
    for (const client of [first, second, third, fourth]) client.kill()
    watcher.close()
    await server.close()
  })

  test('[REQ4] is the one printed in docs/protocol.md', () => {
    const page = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8')
    expect(page).toContain('```js\n' + readFileSync(script, 'utf8') + '```')
  })
})
