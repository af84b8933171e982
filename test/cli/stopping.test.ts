import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { levelStorage } from 'y-rooms/server'
import { RawClient, readDocument, updateOf } from '../support/raw-client.ts'
import { CliProcess, runToEnd, temporaryDirectory } from './cli-process.ts'

test('T9 [ACK1] SIGTERM among hundreds of writes, with a client that reads nothing: everything acknowledged is stored, and the exit code is 0', async () => {
  const data = await temporaryDirectory()
  const server = new CliProcess(['serve', '--port', '0', '--data', data])
  const url = await server.whenListening()
  const author = await RawClient.connect(url)
  const stuck = await RawClient.connect(url)
  onTestFinished(() => [author, stuck].forEach((client) => client.close()))
  await stuck.join('draft', { clientId: 1 })
  pauseReading(stuck)
  const doc = new Y.Doc()
  const { document } = await author.join('draft', { clientId: doc.clientID })
  const acknowledged: number[] = []
  let isTold = false
  const gone = new Promise<void>((resolve) => author.socket.once('disconnect', () => resolve()))
  for (let number = 0; number < 500; number++) {
    const update = updateOf(doc, (own) => own.getMap('map').set(`key ${number}`, 'x'.repeat(500)))
    const answer = author.update(document, update).then(
      ({ ok }) => {
        if (ok) acknowledged.push(number)
        if (isTold || acknowledged.length < 50) return
        isTold = true
        server.process.kill('SIGTERM')
      },
      // The connection has ended: nobody was told anything.
      () => undefined,
    )
    // In many batches, so that the signal comes between two of them.
    if (number % 20 === 0) await Promise.race([answer, gone])
  }
  expect(await server.whenExited()).toBe(0)
  // What was acknowledged has arrived by now; the other requests nobody answers any more.
  await gone
  expect(acknowledged.length).toBeGreaterThanOrEqual(50)
  const again = await new CliProcess(['serve', '--port', '0', '--data', data]).whenListening()
  const stored = (await readDocument(again, 'draft')).getMap('map')
  expect(acknowledged.filter((number) => !stored.has(`key ${number}`))).toEqual([])
})

test.runIf(process.platform === 'linux')(
  'T9 SIGTERM while the disk hangs in a call: the process ends all the same, and says so',
  async () => {
    const data = await temporaryDirectory()
    await mkdir(join(data, 'log'), { recursive: true })
    // Whoever opens this waits for a writer who never comes: a thread of the pool hangs, as with a lost network disk.
    expect(spawnSync('mkfifo', [join(data, 'log', 'CURRENT')]).status).toBe(0)
    const server = new CliProcess(['serve', '--port', '0', '--data', data])
    await expect.poll(() => existsSync(join(data, 'lock'))).toBe(true)
    server.process.kill('SIGTERM')
    // Node waits for its threads when it exits, so no exit code can be given.
    expect(await server.whenExited()).toBe('SIGKILL')
    expect(server.stderr).toBe('y-rooms: the disk does not answer; ending without waiting for it\n')
  },
)

test('T10 a damaged database ends the start with 1 and one line that says what is damaged', async () => {
  const data = await temporaryDirectory()
  const storage = levelStorage(data)
  await storage.open()
  await storage.close()
  const log = join(data, 'log', '000003.log')
  expect(spawnSync('truncate', ['--size=20', log]).status).toBe(0)
  const { exit, stdout, stderr } = await runToEnd(['serve', '--port', '0', '--data', data])
  expect([exit, stdout]).toEqual([1, ''])
  expect(stderr).toMatch(/^y-rooms: [^\n]+000003\.log is not as it was closed[^\n]+\n$/)
})

/** The process stays connected and takes nothing from its socket any more. */
function pauseReading(client: RawClient): void {
  const { transport } = client.socket.io.engine as unknown as {
    transport: { ws: { _socket: { pause(): void } } }
  }
  transport.ws._socket.pause()
}
