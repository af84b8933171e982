import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  createServer,
  get,
  request,
  type ClientRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { createDocumentServer, memoryStorage, type ServerOptions } from 'y-rooms/server'
import { gatedStorage } from '../support/gated-storage.ts'
import { ask } from './http-client.ts'

const MAX_BYTES = 100_000

interface Begun {
  readonly outgoing: ClientRequest
  readonly answer: Promise<IncomingMessage>
}

async function scene(options: Partial<ServerOptions> = {}) {
  const documents = createDocumentServer({
    storage: memoryStorage(),
    maxHttpBodyBytes: MAX_BYTES,
    ...options,
  })
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
  const begin = (more: OutgoingHttpHeaders = {}): Begun => {
    const outgoing = request({
      port,
      host: '127.0.0.1',
      path,
      method: 'POST',
      headers: { ...headers, ...more },
    })
    outgoing.on('error', () => undefined)
    const answer = once(outgoing, 'response').then(([incoming]) => incoming as IncomingMessage)
    answer.catch(() => undefined)
    return { outgoing, answer }
  }
  const url = `http://127.0.0.1:${port}`
  return {
    begin,
    /** Asks for the document, and reads nothing of the answer. */
    askWithoutReading: async (): Promise<IncomingMessage> => {
      const asked = get({ port, host: '127.0.0.1', path: '/api/documents/draft', agent: false })
      onTestFinished(() => void asked.destroy())
      const [answer] = (await once(asked, 'response')) as [IncomingMessage]
      return answer.on('error', () => undefined).pause()
    },
    read: () => ask(url, '/api/documents/draft'),
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
  outgoing.write(Buffer.alloc(95_000))
  await expect.poll(async () => (await post(updateOf(20_000))).status).toBe(429)
  outgoing.destroy()
  await expect.poll(async () => (await post(updateOf(20_000))).status).toBe(200)
})

async function codeOf(answer: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = []
  for await (const part of answer) parts.push(part as Buffer)
  return (JSON.parse(Buffer.concat(parts).toString()) as { code: unknown }).code
}

test.each(['gzip', 'deflate', 'br', 'x'])(
  '[HTTP8] a body with Content-Encoding %s is refused, and what goes on arriving of it takes no room',
  async (encoding) => {
    const { begin, post } = await scene()
    const slow = begin()
    slow.outgoing.write(Buffer.alloc(10_000))
    const { outgoing, answer } = begin({ 'Content-Encoding': encoding })
    outgoing.write(randomBytes(MAX_BYTES))
    const refused = await answer
    expect([refused.statusCode, await codeOf(refused)]).toEqual([415, 'unsupported-media-type'])
    outgoing.end(randomBytes(MAX_BYTES))
    await once(outgoing, 'close')
    expect((await post(updateOf(80_000))).status).toBe(200)
    slow.outgoing.end()
    expect((await slow.answer).statusCode).toBe(400)
  },
)

test('[HTTP8] a body that is announced too large is refused before it is sent; one that becomes it, as soon as it does', async () => {
  const { begin, post } = await scene({ maxUpdateBytes: 50_000 })
  const slow = begin()
  slow.outgoing.write(Buffer.alloc(10_000))
  for (const announced of [true, false]) {
    const { outgoing, answer } = begin(announced ? { 'Content-Length': 50_001 } : {})
    outgoing.write(Buffer.alloc(announced ? 1 : 50_001))
    const refused = await answer
    expect([refused.statusCode, await codeOf(refused)]).toEqual([413, 'update-too-large'])
    // Its sender goes on and takes its time.
    if (!announced) outgoing.write(Buffer.alloc(80_000))
    expect((await post(updateOf(40_000))).status).toBe(200)
    outgoing.destroy()
  }
  slow.outgoing.destroy()
})

test('[HTTP8] what was sent by somebody who did not wait for the answer counts until it is written', async () => {
  const storage = gatedStorage(memoryStorage())
  const { begin, post } = await scene({ storage })
  expect((await post(updateOf(10))).status).toBe(200)
  const writing = storage.hold('append')
  const { outgoing } = begin()
  outgoing.end(updateOf(60_000))
  await writing
  const gone = new Promise((resolve) => outgoing.on('close', resolve))
  outgoing.destroy()
  await gone
  expect((await post(updateOf(60_000))).status).toBe(429)
  storage.release('append')
  await expect.poll(async () => (await post(updateOf(60_000))).status).toBe(200)
})

test('[HTTP8] a body that comes byte by byte is what was sent', async () => {
  const { begin, read } = await scene()
  const { outgoing, answer } = begin()
  outgoing.setNoDelay(true)
  const update = updateOf(20_000)
  for (const byte of update) outgoing.write(Uint8Array.of(byte))
  outgoing.end()
  expect((await answer).statusCode).toBe(200)
  const doc = new Y.Doc()
  Y.applyUpdate(doc, (await read()).body)
  expect(doc.getText('body').toJSON()).toBe('x'.repeat(20_000))
})

test('[HTTP9] documents on their way to readers are bounded too; one that reads nothing is left', async () => {
  const { post, askWithoutReading, read } = await scene({ outboxStallMs: 1000 })
  // More than two kernels keep for a reader.
  expect((await post(updateOf(24 * 1024 * 1024))).status).toBe(200)
  const stuck = await askWithoutReading()
  expect(stuck.statusCode).toBe(200)
  const refused = await read()
  expect([refused.status, refused.json['code']]).toEqual([429, 'too-many-requests'])
  await expect.poll(async () => (await read()).status).toBe(200)
})
