import { cp } from 'node:fs/promises'
import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { SocketIOProvider, type ProviderOptions } from 'y-rooms/client'
import { expectEqualDocuments } from '../support/equal-documents.ts'
import { metric, serveHealth } from '../support/health.ts'
import { readDocument } from '../support/raw-client.ts'
import { startServer, type RunningServer } from '../support/running-server.ts'
import { tempDirectory } from '../support/temp-directory.ts'

function open(url: string, options: ProviderOptions = {}): SocketIOProvider {
  const provider = new SocketIOProvider(url, 'draft', new Y.Doc(), {
    socketIo: {},
    maxBackoffTime: 100,
    selfCheckIntervalMs: 100,
    ...options,
  })
  onTestFinished(() => provider.destroy())
  return provider
}

/** Resolves when the server has found copies the same so many times: one that does not change is looked at once. */
async function whenFoundSame(server: RunningServer, times: number): Promise<void> {
  const count = (): Promise<number> =>
    metric(server, 'y_rooms_state_checks_total{result="same"}').catch(() => 0)
  await expect.poll(count).toBeGreaterThanOrEqual(times)
}

test('T14 T17 [CHECK3] [JOIN9] after a restored backup, deletions that hide behind one number are found and healed, on both sides', async () => {
  const directory = await tempDirectory()
  let server = await startServer(directory)
  const port = Number(new URL(server.url).port)
  const first = open(server.url)
  await first.whenSynced
  const body = first.doc.getText('body')
  body.insert(0, 'one two three')
  await first.whenSaved()
  await server.close()
  const backup = await tempDirectory()
  await cp(directory, backup, { recursive: true })

  server = await startServer(directory, {}, port)
  await first.whenSynced
  body.delete(0, 4)
  await first.whenSaved()
  first.disconnect()
  await server.close()

  server = await startServer(backup, {}, port)
  onTestFinished(() => server.close())
  serveHealth(server)
  const second = open(server.url)
  await second.whenSynced
  expect(second.doc.getText('body').toJSON()).toBe('one two three')
  await whenFoundSame(server, 1)
  second.doc.getText('body').delete(7, 6)
  await second.whenSaved()
  await whenFoundSame(server, 2)

  // The same epoch, number and state vector: nothing tells the two deletions apart but looking at them.
  const errors: string[] = []
  first.on('error', ({ code }) => errors.push(code))
  first.connect()
  await first.whenSynced
  expect([body.toJSON(), second.doc.getText('body').toJSON()]).toEqual(['two three', 'one two'])
  await expect.poll(() => body.toJSON()).toBe('two')
  await first.whenSaved()
  await expect.poll(() => second.doc.getText('body').toJSON()).toBe('two')
  expect(errors).toEqual(['state-diverged'])
  // The next check, at a quiet moment, tells the server.
  await expect.poll(() => metric(server, 'y_rooms_divergences_total')).toBe(1)
  const stored = await readDocument(server.url, 'draft')
  expectEqualDocuments(stored, first.doc)
  expectEqualDocuments(stored, second.doc)
  expect(server.errors).toEqual([])
})

test('[CHECK2] copies that are the same are found to be, and nothing is written for it', async () => {
  const server = await startServer(await tempDirectory())
  onTestFinished(() => server.close())
  serveHealth(server)
  const [ada, bob] = [open(server.url), open(server.url)]
  await Promise.all([ada.whenSynced, bob.whenSynced])
  await whenFoundSame(server, 2)
  ada.doc.getText('body').insert(0, 'hello')
  ada.doc.getText('body').delete(1, 2)
  await ada.whenSaved()
  await expect.poll(() => bob.doc.getText('body').toJSON()).toBe('hlo')
  const written = await metric(server, 'y_rooms_updates_total')
  await whenFoundSame(server, 3)
  expect(await metric(server, 'y_rooms_updates_total')).toBe(written)
  await expect(metric(server, 'y_rooms_state_checks_total{result="different"}')).rejects.toThrow()
})
