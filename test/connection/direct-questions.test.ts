import { afterAll, beforeAll, expect, test } from 'vitest'
import * as Y from 'yjs'
import { StockPackets } from '../../src/connection/stock-packets.ts'
import { RawClient, updateOf } from '../support/raw-client.ts'
import { startServer, type RunningServer } from '../support/running-server.ts'
import { makeTempDirectory } from '../support/temp-directory.ts'

let server: RunningServer

beforeAll(async () => {
  server = await startServer(await makeTempDirectory())
})

afterAll(() => server.close())

const ask = (client: RawClient, event: string, ...args: unknown[]): Promise<unknown> =>
  client.socket.emitWithAck(event, ...args)

test('a question is read as the parser reads it, and what the parser may see otherwise is left to it', () => {
  const packets = new StockPackets('/y-rooms')
  expect(packets.readQuestion('2/y-rooms,12["join",{"document":"d","n":[1]}]')).toEqual({
    event: 'join',
    args: [{ document: 'd', n: [1] }],
    ackId: 12,
  })
  expect(packets.readQuestion('2/y-rooms,["leave",3,4]')).toEqual({
    event: 'leave',
    args: [3, 4],
    ackId: null,
  })
  for (const packet of [
    '2/y-rooms,12["join",{"document":"d"}',
    '2/y-rooms,12["join",{}]]',
    '2/y-rooms,012["join",{}]',
    '2/y-rooms,12["join"]',
    '2/y-rooms,12["join",1,2,3,4,5]',
    '2/y-rooms,12["update",{"upload":1}]',
    '2/other,12["join",{}]',
    '2["join",{}]',
    '51-/y-rooms,12["join",{"stateVector":{"_placeholder":true,"num":0}}]',
    `2/y-rooms,${'9'.repeat(16)}["join",{}]`,
  ])
    expect(packets.readQuestion(packet), packet).toBeNull()
})

test('an answer with bytes has them behind it, and one without is a text', () => {
  const packets = new StockPackets('/y-rooms')
  expect(packets.writeBinaryAnswer(1, { ok: true, seq: 3, updates: [] })).toEqual([
    '3/y-rooms,1[{"ok":true,"seq":3,"updates":[]}]',
  ])
  expect(
    packets.writeBinaryAnswer(1, { stateVector: Uint8Array.of(1), updates: [Uint8Array.of(2)] }),
  ).toEqual([
    '62-/y-rooms,1[{"stateVector":{"_placeholder":true,"num":0},"updates":[{"_placeholder":true,"num":1}]}]',
    Buffer.of(1),
    Buffer.of(2),
  ])
})

test('T27 [REQ1] what is read past Socket.IO does not overtake what is not: an upload is accepted before its client leaves', async () => {
  const client = await RawClient.connect(server.url)
  const { document } = await client.join('uploading', { clientId: 1 })
  const ydoc = new Y.Doc()
  const update = updateOf(ydoc, () => ydoc.getText('body').insert(0, 'sent before leaving'))
  await ask(client, 'chunk', document, { upload: 1, offset: 0, size: update.length }, update)
  const accepted = ask(client, 'update', document, { upload: 1 })
  const left = ask(client, 'leave', document, 1)
  expect(await accepted).toMatchObject({ ok: true, seq: 1 })
  expect(await left).toEqual({ ok: true })
  client.socket.disconnect()
})

test('[JOIN8] leaving and joining again in one moment leaves the client in the document', async () => {
  const client = await RawClient.connect(server.url)
  const { document } = await client.join('again', { clientId: 1 })
  const key = 'k'.repeat(16)
  const left = ask(client, 'leave', document, 1)
  const joined = ask(client, 'join', { document: 'again', clientId: 2, key })
  expect(await left).toEqual({ ok: true })
  const answer = (await joined) as { readonly ok: boolean; readonly document: number }
  expect(answer.ok).toBe(true)
  const ydoc = new Y.Doc()
  const update = updateOf(ydoc, () => ydoc.getText('body').insert(0, 'here'))
  expect(await ask(client, 'update', answer.document, Buffer.from(update))).toMatchObject({
    ok: true,
  })
  client.socket.disconnect()
})
