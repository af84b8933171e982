import { expect, test } from 'vitest'
import { Manager } from 'socket.io-client'
import { PacketType } from 'socket.io-parser'
import type { Refusal } from 'y-rooms/protocol'
import { RawClient } from '../support/raw-client.ts'
import { accessServer, token, writing } from './access-scene.ts'

const code = (answer: unknown): string | undefined => (answer as Partial<Refusal>).code

test('T53 [AUTH1] a refused token, then a good one on the same connection', async () => {
  const { clock, url } = await accessServer()
  // The stock client closes a connection that nothing is left on; packets by hand do not.
  const manager = new Manager(url, { transports: ['websocket'], reconnection: false })
  await new Promise<void>((resolve) => manager.once('open', () => resolve()))
  const show = async (shown: string): Promise<unknown> => {
    const answer = new Promise((resolve) => manager.once('packet', resolve))
    manager._packet({ type: PacketType.CONNECT, nsp: '/y-rooms', data: { token: shown } } as never)
    return answer
  }
  const forged = await token(clock, {}, { secret: 'another secret of thirty-two bytes or more' })
  expect(await show(forged)).toMatchObject({
    type: PacketType.CONNECT_ERROR,
    data: { data: { code: 'unauthenticated', retry: 'reauth' } },
  })
  expect(await show(await token(clock, { exp: 1 }))).toMatchObject({
    type: PacketType.CONNECT_ERROR,
    data: { data: { code: 'token-expired', retry: 'reauth' } },
  })
  expect(await show(await token(clock))).toMatchObject({ type: PacketType.CONNECT })
  manager._close()
})

test('T53 [AUTH2] a newer token takes effect in place; a refused one, or another user’s, changes nothing', async () => {
  const { clock, connect } = await accessServer()
  const client = await connect(await token(clock, { documents: { draft: 'read' } }))
  const { document, access } = await client.join('draft', { clientId: 1 })
  expect(access).toBe('read')

  expect(await client.token(await token(clock, { exp: 1 }))).toMatchObject({
    code: 'token-expired',
    retry: 'reauth',
  })
  expect(await client.token('nonsense')).toMatchObject({ code: 'unauthenticated' })
  expect(await client.token(await token(clock, { sub: 'eve' }))).toMatchObject({
    code: 'user-changed',
    retry: 'never',
  })
  for (const malformed of ['', 7, null, { token: 'x' }, 'x'.repeat(20_000)])
    expect(code(await client.request('token', malformed))).toBe('malformed-request')
  expect(code(await client.update(document, writing('x')))).toBe('read-only')
  expect([client.access, client.closed]).toEqual([[], []])

  expect(await client.token(await token(clock))).toEqual({ ok: true, expiresInMs: 3_605_000 })
  expect(client.access).toEqual([{ access: 'write', code: 'token-refreshed' }])
  expect(await client.update(document, writing('x'))).toMatchObject({ ok: true, seq: 1 })
  expect((await client.join('other', { clientId: 1 })).access).toBe('write')

  // A token that allows less takes away what is open.
  await client.token(await token(clock, { documents: { draft: 'read' } }))
  expect(client.access.at(-1)).toEqual({ access: 'read', code: 'token-refreshed' })
  expect(client.closed).toMatchObject([{ code: 'access-revoked', retry: 'never' }])
  expect(code(await client.tryJoin('other', { clientId: 1 }))).toBe('forbidden')
})

test('T52 T53 [AUTH3] the client is warned, expiry closes its documents, and a new token opens them on the same connection', async () => {
  const { clock, connect } = await accessServer({ expiryWarningMs: 30_000 })
  const client = await connect(await token(clock, { exp: Math.floor(clock.now() / 1000) + 600 }))
  const { document } = await client.join('draft', { clientId: 1 })
  // The tolerance of five seconds counts for the session too.
  clock.advance(574_999)
  await client.leave(document, 99)
  expect(client.expiring).toEqual([])
  clock.advance(1)
  await client.until(() => client.expiring.length > 0)
  expect(client.expiring).toEqual([30_000])
  expect(client.closed).toEqual([])

  clock.advance(30_000)
  await client.until(() => client.closed.length > 0)
  expect(client.closed).toMatchObject([{ code: 'token-expired', retry: 'reauth' }])
  expect(code(await client.update(document, writing('x')))).toBe('not-joined')
  expect(code(await client.tryJoin('draft', { clientId: 1 }))).toBe('token-expired')
  expect(await client.token(await token(clock))).toMatchObject({ ok: true })
  const again = await client.join('draft', { clientId: 1 })
  expect(await client.update(again.document, writing('x'))).toMatchObject({ ok: true })
  clock.advance(60_000)
  expect(await client.update(again.document, writing('y'))).toMatchObject({ ok: true })
})

test('T53 [AUTH3] a short life is warned of late, and a token refreshed in time is never interrupted', async () => {
  const { clock, connect } = await accessServer()
  const inSeconds = (life: number): Promise<string> =>
    token(clock, { exp: Math.floor(clock.now() / 1000) + life - 5 })
  const client = await connect(await inSeconds(50))
  const { document } = await client.join('draft', { clientId: 1 })
  for (let round = 1; round <= 5; round++) {
    clock.advance(40_000)
    await client.until(() => client.expiring.length === round)
    expect(client.expiring.at(-1)).toBe(10_000)
    expect(await client.token(await inSeconds(50))).toMatchObject({ expiresInMs: 50_000 })
    expect(await client.update(document, writing(String(round)))).toMatchObject({ ok: true })
  }
  expect(client.closed).toEqual([])
})

test('[AUTH3] who brings no new token is disconnected', async () => {
  const { clock, connect } = await accessServer()
  const client = await connect(await token(clock, { exp: Math.floor(clock.now() / 1000) + 60 }))
  await client.join('draft', { clientId: 1 })
  clock.advance(65_000)
  await client.until(() => client.closed.length > 0)
  clock.advance(29_999)
  expect(code(await client.tryJoin('draft', { clientId: 1 }))).toBe('token-expired')
  clock.advance(1)
  await client.until(() => !client.socket.connected)
})

test('[AUTH3] a token that ends in a year is no reason to end today', async () => {
  const { clock, connect } = await accessServer({ joinTimeoutMs: 86_400_000 })
  const year = 365 * 86_400
  const client = await connect(await token(clock, { exp: Math.floor(clock.now() / 1000) + year }))
  await client.join('draft', { clientId: 1 })
  clock.advance(364 * 86_400_000)
  expect(await client.tryJoin('draft', { clientId: 1 })).toMatchObject({ ok: true })
  clock.advance(2 * 86_400_000)
  await client.until(() => client.closed.length > 0)
  expect(client.closed).toMatchObject([{ code: 'token-expired' }])
})

test('[AUTH1] HTTP goes by the same tokens and the same patterns', async () => {
  const { clock, ask } = await accessServer()
  const reader = await token(clock, { documents: { 'open/*': 'read' } })
  const writer = await token(clock)
  const post = (name: string, shown: string | null): Promise<Response> =>
    ask(`/documents/${encodeURIComponent(name)}/updates`, shown, {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream' },
      body: Buffer.from(writing('x')),
    })
  expect((await post('open/a', writer)).status).toBe(200)
  expect((await post('closed', writer)).status).toBe(200)
  expect((await post('open/a', reader)).status).toBe(403)
  expect((await ask('/documents/open%2Fa', reader)).status).toBe(200)
  expect((await ask('/documents/closed', reader)).status).toBe(403)
  expect(await (await ask('/documents', reader)).json()).toMatchObject({ documents: ['open/a'] })
  for (const shown of [null, 'nonsense', await token(clock, { exp: 1 })]) {
    const refused = await post('open/a', shown)
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
  }
})

test('[ACC1] a user whose end or whose documents are not clear is refused', async () => {
  for (const user of [
    { id: 'ada', expiresAt: 'tomorrow' },
    { id: 'ada', expiresAt: NaN },
    { id: 'ada', documents: 'all' },
    { id: 'ada', documents: { '*': 'admin' } },
  ]) {
    const { url, ask } = await accessServer({ authenticate: () => user as never })
    await expect(RawClient.connect(url)).rejects.toMatchObject({
      data: { code: 'unauthenticated' },
    })
    expect((await ask('/documents', null)).status).toBe(401)
  }
  const { url, ask } = await accessServer({ authenticate: () => ({ id: 'ada', expiresAt: 1 }) })
  await expect(RawClient.connect(url)).rejects.toMatchObject({ data: { code: 'token-expired' } })
  expect((await ask('/documents', null)).status).toBe(401)
})
