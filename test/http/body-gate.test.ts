import { once } from 'node:events'
import { createServer, request, type ClientRequest, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { createDocumentServer, memoryStorage } from 'y-rooms/server'
import { ask } from './http-client.ts'

const MAX_BYTES = 100_000

async function scene() {
  const documents = createDocumentServer({ storage: memoryStorage(), maxHttpBodyBytes: MAX_BYTES })
  const http = createServer(express().use('/api', documents.router()).use(documents.healthRouter()))
  await documents.ready()
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    await documents.close()
    http.closeAllConnections()
    http.close()
  })
  const { port } = http.address() as AddressInfo
  const path = '/api/documents/draft/updates'
  const headers = { 'Content-Type': 'application/octet-stream' }
  /** A request whose body is not at its end. */
  const begin = (): { outgoing: ClientRequest; answer: Promise<IncomingMessage> } => {
    const outgoing = request({ port, host: '127.0.0.1', path, method: 'POST', headers })
    const answer = once(outgoing, 'response').then(([incoming]) => incoming as IncomingMessage)
    answer.catch(() => undefined)
    return { outgoing, answer }
  }
  const url = `http://127.0.0.1:${port}`
  return {
    begin,
    post: (body: Uint8Array) => ask(url, path, { method: 'POST', headers, body }),
    hits: async () => (await ask(url, '/metrics')).body.toString().includes('maxHttpBodyBytes'),
  }
}

function updateOf(bytes: number): Uint8Array {
  const doc = new Y.Doc()
  doc.getText('body').insert(0, 'x'.repeat(bytes))
  return Y.encodeStateAsUpdate(doc)
}

test('[HTTP8] what bodies take together is bounded as they arrive; what goes beyond is told to come back, and finds room then', async () => {
  const { begin, post, hits } = await scene()
  const slow = [begin(), begin()]
  for (const { outgoing } of slow) outgoing.write(Buffer.alloc(45_000))
  // Small ones get through as long as there is room.
  await expect.poll(async () => (await post(updateOf(20_000))).status).toBe(429)
  expect((await post(updateOf(1000))).status).toBe(200)
  expect(await hits()).toBe(true)
  const refused = await post(updateOf(50_000))
  expect(refused.json).toMatchObject({ code: 'too-many-requests', retry: 'backoff' })
  expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
  // Those that were there first are answered as ever, and leave their room.
  for (const { outgoing, answer } of slow) {
    outgoing.end()
    expect((await answer).statusCode).toBe(400)
  }
  await expect.poll(async () => (await post(updateOf(90_000))).status).toBe(200)
  // One alone may be larger.
  await expect.poll(async () => (await post(updateOf(2 * MAX_BYTES))).status).toBe(200)
})

test('[HTTP8] who goes away in the middle leaves its room', async () => {
  const { begin, post } = await scene()
  const { outgoing } = begin()
  outgoing.on('error', () => undefined)
  outgoing.write(Buffer.alloc(95_000))
  await expect.poll(async () => (await post(updateOf(20_000))).status).toBe(429)
  outgoing.destroy()
  await expect.poll(async () => (await post(updateOf(20_000))).status).toBe(200)
})
