import { expect, test } from 'vitest'
import { decodePresence, encodePresence } from '../support/awareness-message.ts'
import { readDocument } from '../support/raw-client.ts'
import { writing } from '../access/access-scene.ts'
import { keystrokes, limitScene } from './limit-scene.ts'

/** Five times as much as a second allows may come at once. */
const BURST = 5
/** A request that is refused at once, and answered after whatever was answered before it. */
const NO_DOCUMENT = 99
/** What comes in one request is read as a whole, so that requests behind those that are held are answered. */
const POLLING = ['polling']

test('[RATE1] [LIM1] updates that come faster than allowed are held in their order and all taken; a neighbour does not wait', async () => {
  const { clock, connect, hits } = await limitScene({ updatesPerSecond: 10 })
  const [hasty, neighbour] = [await connect({}, POLLING), await connect()]
  const { document } = await hasty.join('draft', { clientId: 1 })
  const other = await neighbour.join('draft', { clientId: 2 })
  const type = keystrokes()
  const answers: number[] = []
  const saved = Array.from({ length: 80 }, () =>
    hasty.update(document, type()).then((answer) => {
      if (!answer.ok) throw new Error(answer.code)
      answers.push(answer.seq)
    }),
  )
  await Promise.all(saved.slice(0, 10 * BURST))
  // A request behind them all is answered while they wait.
  await hasty.leave(NO_DOCUMENT, 1)
  expect(answers).toHaveLength(10 * BURST)
  expect(await neighbour.update(other.document, keystrokes()())).toMatchObject({ ok: true })
  expect(await hits('updatesPerSecond')).toBe(30)
  clock.advance(1000)
  await Promise.all(saved.slice(0, 60))
  await hasty.leave(NO_DOCUMENT, 1)
  expect(answers.length).toBeLessThan(63)
  clock.advance(2000)
  await Promise.all(saved)
  expect(answers).toEqual([...answers].sort((a, b) => a - b))
  await neighbour.until(() => neighbour.updates.at(-1)?.to === 81)
})

test('[RATE1] bytes are held likewise, and an upload in chunks with its end behind them', async () => {
  const { clock, server, connect, hits } = await limitScene({ bytesPerSecond: 1024 })
  const client = await connect({}, POLLING)
  const { document } = await client.join('draft', { clientId: 1 })
  const update = keystrokes()()
  const bulk = new Uint8Array(6000)
  // Refused, and counted all the same: it was sent.
  expect(await client.update(document, bulk)).toMatchObject({ code: 'malformed-update' })
  let isSaved = false
  const steps = [
    client.request('chunk', document, { upload: 1, offset: 0, size: update.length }, update),
    client.request('update', document, { upload: 1 }).then((answer) => {
      isSaved = true
      return answer
    }),
  ]
  await client.leave(NO_DOCUMENT, 1)
  expect(isSaved).toBe(false)
  expect(await hits('bytesPerSecond')).toBe(2)
  clock.advance(2000)
  expect(await Promise.all(steps)).toMatchObject([{ ok: true }, { ok: true, seq: 1 }])
  expect((await readDocument(server.url, 'draft')).getText('body').toJSON()).toBe('x')
})

test.each(['leaves', 'disconnects'])(
  '[RATE1] what is held is taken when its client %s: it was sent',
  async (way) => {
    const { server, connect } = await limitScene({ updatesPerSecond: 1 })
    const [client, reader] = [await connect({}, POLLING), await connect()]
    const { document } = await client.join('draft', { clientId: 1 })
    await reader.join('draft', { clientId: 2 })
    const type = keystrokes()
    for (let update = 0; update < 20; update++)
      client.socket.emit('update', document, type(), () => undefined)
    // Socket.IO itself drops what arrives together with the end.
    await client.leave(NO_DOCUMENT, 1)
    if (way === 'leaves') await client.leave(document, 1)
    else client.close()
    await reader.until(() => reader.updates.at(-1)?.to === 20)
    expect((await readDocument(server.url, 'draft')).getText('body').length).toBe(20)
  },
)

test('[RATE1] [ACC4] what is held when access is taken away is refused', async () => {
  let access: 'read' | 'write' = 'write'
  const { clock, server, connect } = await limitScene({
    updatesPerSecond: 1,
    authorize: () => access,
  })
  const client = await connect({}, POLLING)
  const { document } = await client.join('draft', { clientId: 1 })
  const type = keystrokes()
  const answers = Array.from({ length: 7 }, () => client.update(document, type()))
  await client.leave(NO_DOCUMENT, 1)
  access = 'read'
  await server.documents.recheck()
  clock.advance(10_000)
  const codes = (await Promise.all(answers)).map((answer) => (answer.ok ? 'ok' : answer.code))
  expect(codes).toEqual(['ok', 'ok', 'ok', 'ok', 'ok', 'read-only', 'read-only'])
})

test('[RATE1] of who goes on over WebSocket no more is read until it is its time; then all of it is taken', async () => {
  const { clock, server, connect, hits } = await limitScene({ updatesPerSecond: 100 })
  const flooder = await connect()
  const { document } = await flooder.join('draft', { clientId: 1 })
  const type = keystrokes()
  const COUNT = 20_000
  const first = type()
  let answered = 0
  for (let update = 0; update < COUNT; update++)
    flooder.socket.emit('update', document, first, () => answered++)
  while (answered < 100 * BURST) await new Promise((resolve) => setImmediate(resolve))
  const neighbour = await connect()
  for (let request = 0; request < 50; request++) await neighbour.leave(NO_DOCUMENT, 1)
  // What Node reads at once, of 64 KiB; the rest is still the kernel's, which makes the sender wait.
  expect(await hits('updatesPerSecond')).toBeLessThan(2000)
  expect(flooder.closed).toEqual([])
  while (answered < COUNT) {
    clock.advance(1000)
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect([flooder.socket.connected, server.errors]).toEqual([true, []])
})

test('[RATE2] where that is not possible, over long polling, it is closed with a code and can come back', async () => {
  const { server, connect } = await limitScene({ updatesPerSecond: 10 })
  const flooder = await connect({}, POLLING)
  const { document } = await flooder.join('draft', { clientId: 1 })
  const paste = writing('x'.repeat(10_000))
  // 8 MiB are held.
  const answers = Array.from({ length: 1000 }, () =>
    flooder.update(document, paste).catch(() => null),
  )
  await flooder.until(() => !flooder.socket.connected)
  expect(flooder.closed).toMatchObject([{ code: 'too-many-requests', retry: 'backoff' }])
  const taken = await Promise.all(answers.slice(0, 10 * BURST))
  expect(taken.every((answer) => answer?.ok === true)).toBe(true)
  const again = await connect()
  const joined = await again.join('draft', { clientId: 1 })
  expect(await again.update(joined.document, keystrokes()())).toMatchObject({ ok: true })
  expect(server.errors).toEqual([])
})

test('T43 [RATE3] of presence that comes too fast the latest of each client id is kept, and every message is answered', async () => {
  const { clock, connect, hits } = await limitScene({ presencePerSecond: 2 })
  const [hasty, reader] = [await connect({}, POLLING), await connect()]
  const { document } = await hasty.join('draft', { clientId: 1 })
  await hasty.join('draft', { clientId: 300 })
  await reader.join('draft', { clientId: 2 })
  const announce = (clientId: number, x: number): Promise<unknown> =>
    hasty.request('awareness', document, encodePresence({ clientId, clock: x, state: { x } }))
  const answers = []
  for (let x = 0; x < 1000; x++) answers.push(announce(1, x), announce(300, x))
  await hasty.leave(NO_DOCUMENT, 1)
  expect(await hits('presencePerSecond')).toBe(2000 - 2 * BURST)
  clock.advance(2000)
  expect(new Set((await Promise.all(answers)).map((answer) => JSON.stringify(answer)))).toEqual(
    new Set(['{"ok":true}']),
  )
  clock.advance(100)
  const shown = new Map<number, unknown>()
  await reader.until(() => {
    for (const update of reader.awareness.splice(0))
      for (const { clientId, state } of decodePresence(update)) shown.set(clientId, state)
    return JSON.stringify([shown.get(1), shown.get(300)]) === '[{"x":999},{"x":999}]'
  })
})

test('T43 [RATE1] presence spam that waits for nothing is read no faster than allowed, and nobody else waits', async () => {
  const { clock, server, connect, hits } = await limitScene({ presencePerSecond: 10 })
  const [spammer, neighbour] = [await connect(), await connect()]
  const { document } = await spammer.join('draft', { clientId: 1 })
  const other = await neighbour.join('draft', { clientId: 2 })
  const state = { x: 'x'.repeat(1000) }
  let answered = 0
  for (let clientClock = 0; clientClock < 5000; clientClock++)
    spammer.socket.emit(
      'awareness',
      document,
      encodePresence({ clientId: 1, clock: clientClock, state }),
      () => answered++,
    )
  while (answered < 10 * BURST) await new Promise((resolve) => setImmediate(resolve))
  expect(await neighbour.update(other.document, keystrokes()())).toMatchObject({ ok: true })
  expect(await hits('presencePerSecond')).toBeLessThan(500)
  while (answered < 5000) {
    clock.advance(1000)
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect([spammer.socket.connected, server.errors]).toEqual([true, []])
})

test('[LIM2] tokens: so many a minute, and more are refused until it has passed', async () => {
  const { clock, connect, hits } = await limitScene({
    tokensPerMinute: 3,
    authenticate: () => ({ id: 'ada' }),
  })
  const client = await connect()
  for (let shown = 0; shown < 3; shown++)
    expect(await client.token('good')).toMatchObject({ ok: true })
  expect(await client.token('good')).toMatchObject({ code: 'too-many-requests', retry: 'backoff' })
  expect(await hits('tokensPerMinute')).toBe(1)
  clock.advance(20_100)
  expect(await client.token('good')).toMatchObject({ ok: true })
})

test('[LIM2] questions to authenticate: so many at once, over sockets and HTTP together', async () => {
  const waiting: (() => void)[] = []
  const { server, connect, hits } = await limitScene({
    maxPendingAuthentications: 2,
    authenticate: () =>
      new Promise((resolve) => waiting.push(() => resolve({ id: `user ${waiting.length}` }))),
  })
  const held = [connect(), fetch(`${server.url}/api/documents`)]
  while (waiting.length < 2) await new Promise((resolve) => setImmediate(resolve))
  await expect(connect()).rejects.toMatchObject({
    data: { code: 'too-many-requests', retry: 'backoff' },
  })
  expect((await fetch(`${server.url}/api/documents`)).status).toBe(429)
  expect(await hits('maxPendingAuthentications')).toBe(2)
  for (const answer of waiting) answer()
  await Promise.all(held)
  const next = connect()
  while (waiting.length < 3) await new Promise((resolve) => setImmediate(resolve))
  waiting[2]!()
  await next
})

test('[LIM2] HTTP requests of one address: more than a minute’s are refused with 429 and Retry-After', async () => {
  const { server, hits } = await limitScene({ httpRequestsPerMinute: 5 })
  const ask = (): Promise<Response> => fetch(`${server.url}/api/documents`)
  for (let request = 0; request < 5; request++) expect((await ask()).status).toBe(200)
  const refused = await ask()
  expect([refused.status, Number(refused.headers.get('retry-after')) > 0]).toEqual([429, true])
  expect(await refused.json()).toMatchObject({ code: 'too-many-requests', retry: 'backoff' })
  expect(await hits('httpRequestsPerMinute')).toBe(1)
  expect((await fetch(`${server.url}/readyz`)).status).toBe(200)
})
