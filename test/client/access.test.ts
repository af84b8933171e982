import { expect, test } from 'vitest'
import { HANDLE, joined } from './scripted-network.ts'
import { scene, type Scene } from './scene.ts'

const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 8; turn++) await Promise.resolve()
}

function scopes({ provider }: Scene): string[] {
  const heard: string[] = []
  provider.on('scope', ({ scope, reason }) => heard.push(`${scope} ${reason}`))
  return heard
}

test('T51 T52 [ACC3] a downgrade tells the editor first; what it types then is kept and rejected, and sent after an upgrade', () => {
  const one = scene()
  const heard = scopes(one)
  const wire = one.join()
  const { provider, events, clock } = one
  wire.sendAccess(HANDLE, 'read')
  expect(heard).toEqual(['read-write undefined', 'readonly access-changed'])
  expect(provider.readOnly).toBe(true)
  expect(provider.synced).toBe(true)
  one.type('late')
  clock.endTurn()
  expect(wire.count('update')).toBe(0)
  expect([provider.saveState, events.includes('rejected:read-only')]).toEqual(['rejected', true])
  expect(provider.pendingUpdate()).not.toBeNull()

  wire.sendAccess(HANDLE, 'write')
  expect(heard.at(-1)).toBe('read-write access-changed')
  wire.take('update').answer({ ok: true, seq: 1, entry: true })
  expect([provider.saveState, one.text()]).toEqual(['saved', 'late'])
})

test('T52 [ACC3] of what was on its way at a downgrade the answers decide', () => {
  for (const isTaken of [true, false]) {
    const one = scene()
    const wire = one.join()
    one.type('a')
    one.clock.endTurn()
    const sent = wire.take('update')
    wire.sendAccess(HANDLE, 'read')
    expect(one.provider.saveState).toBe('saving')
    if (isTaken) sent.answer({ ok: true, seq: 1, entry: true })
    else sent.refuse('read-only')
    expect(one.provider.saveState).toBe(isTaken ? 'saved' : 'rejected')
    expect(one.events.includes('rejected:read-only')).toBe(!isTaken)
  }
})

test('T52 [ACC3] access that changes while a large document loads is known when it is there', () => {
  const one = scene()
  const { wire, provider } = one
  wire.open()
  const snapshot = { seq: 1, bytes: 2, chunkBytes: 1024 }
  wire.take('join').answer(joined({ seq: 1, snapshot }))
  wire.sendAccess(HANDLE, 'read')
  wire.take('pull').answer({ ok: true, seq: 1, updates: [new Uint8Array([0, 0])] })
  expect([provider.synced, provider.readOnly]).toEqual([true, true])
})

test('T52 [ACC3] who loses all access keeps what was typed, and is told why', () => {
  const one = scene()
  const wire = one.join()
  one.type('mine')
  one.clock.endTurn()
  wire.sendClosed(HANDLE, 'access-revoked')
  expect(one.events.at(-1)).toBe('closed:4403 access-revoked')
  expect([one.provider.shouldConnect, one.text()]).toEqual([false, 'mine'])
  expect(one.provider.pendingUpdate()).not.toBeNull()
})

test('T53 [AUTH2] a token function is asked before its token ends, and why', async () => {
  const reasons: string[] = []
  const one = scene({ token: (reason) => `${reasons.push(reason)}` })
  await settle()
  const wire = one.join()
  wire.sendExpiring(30_000)
  wire.sendExpiring(29_000)
  await settle()
  expect(reasons).toEqual(['connect', 'expiring'])
  const { args, answer } = wire.take('token')
  expect(args).toEqual(['2'])
  answer({ ok: true, expiresInMs: 60_000 })
  await settle()
  expect(one.provider.synced).toBe(true)
  wire.sendExpiring(1000)
  await settle()
  expect(wire.take('token').args).toEqual(['3'])
})

test('T53 [AUTH3] documents that were closed with token-expired join again with one new token', async () => {
  const tokens = ['old', 'new']
  const first = scene({ token: () => tokens.shift() ?? 'none left' })
  await settle()
  const wire = first.join()
  first.type('offline meanwhile')
  first.clock.endTurn()
  wire.take('update')
  wire.sendClosed(HANDLE, 'token-expired')
  expect(first.provider.saveState).toBe('unsaved')
  await settle()
  const { args, answer } = wire.take('token')
  expect(args).toEqual(['new'])
  expect(wire.count('join')).toBe(0)
  answer({ ok: true })
  await settle()
  first.join()
  wire.take('update').answer({ ok: true, seq: 1, entry: true })
  expect([first.provider.saveState, tokens]).toEqual(['saved', []])
  expect(first.network.wires).toHaveLength(1)
})

test('T53 T56 [AUTH3] no newer token, or one that is refused, is the end; a token function that fails is asked again', async () => {
  const fixed = scene({ token: 'old' })
  fixed.join().sendClosed(HANDLE, 'token-expired')
  await settle()
  expect(fixed.events.at(-1)).toBe('closed:4401 token-expired')

  let count = 0
  const refused = scene({ token: () => `token ${count++}` })
  await settle()
  refused.join().sendClosed(HANDLE, 'token-expired')
  await settle()
  refused.wire.take('token').refuse('unauthenticated')
  await settle()
  expect(refused.events.at(-1)).toBe('closed:4401 token-expired')

  // Taken, and refused all the same: not asked for ever.
  const useless = scene({ token: () => `token ${count++}` })
  await settle()
  useless.join().sendClosed(HANDLE, 'token-expired')
  await settle()
  useless.wire.take('token').answer({ ok: true })
  await settle()
  useless.wire.take('join').refuse('token-expired')
  await settle()
  expect(useless.events.at(-1)).toBe('closed:4401 token-expired')

  let isDown = false
  const failing = scene({
    token: () => (isDown ? Promise.reject(new Error('offline')) : `token ${count++}`),
  })
  await settle()
  failing.join()
  isDown = true
  failing.wire.sendClosed(HANDLE, 'token-expired')
  await settle()
  expect(failing.events.at(-1)).toBe('error:token-failed')
  isDown = false
  failing.clock.advance(30_000)
  failing.wire.take('join').refuse('token-expired')
  await settle()
  failing.wire.take('token').answer({ ok: true })
  await settle()
  failing.join()
  expect(failing.provider.synced).toBe(true)
})

test('T53 [AUTH2] setToken: in place when connected, at the next attempt when not, anew for another user', async () => {
  const one = scene({ token: 'first' })
  one.join()
  const inPlace = one.provider.setToken('second')
  await settle()
  const { args, answer } = one.wire.take('token')
  expect(args).toEqual(['second'])
  answer({ ok: true })
  await inPlace

  const refused = one.provider.setToken('bad')
  await settle()
  one.wire.take('token').refuse('unauthenticated')
  await expect(refused).rejects.toMatchObject({ code: 'unauthenticated' })
  expect(one.provider.synced).toBe(true)

  one.type('of the first user')
  one.clock.endTurn()
  const other = one.provider.setToken('eve')
  await settle()
  one.wire.take('token').refuse('user-changed')
  await other
  expect(one.network.wires).toHaveLength(2)
  expect(one.network.wires[0]?.isClosedByClient).toBe(true)
  expect(one.wire.target.auth['token']).toBe('eve')
  one.join()
  expect(one.wire.count('update')).toBe(1)

  one.wire.break()
  await one.provider.setToken('eve 2')
  expect(one.wire.target.auth['token']).toBe('eve 2')
})

test('T53 a provider that was refused for its token comes in with another one', async () => {
  const one = scene({ token: 'stale' })
  one.wire.fail('unauthenticated', 'reauth')
  expect(one.events.at(-1)).toBe('closed:4401 unauthenticated')
  await one.provider.setToken('fresh')
  one.provider.connect()
  expect(one.wire.target.auth['token']).toBe('fresh')
  one.join()
  expect(one.provider.synced).toBe(true)
})
