import { expect, test } from 'vitest'
import { Backoff } from '../../client/backoff.ts'
import { serverAddress } from '../../client/server-url.ts'
import { ManualClock } from './manual-clock.ts'
import { joined } from './scripted-network.ts'
import { scene, type Scene } from './scene.ts'

function pausesBetweenAttempts({ network, clock }: Scene, attempts: number): number[] {
  const pauses: number[] = []
  for (let attempt = 0; attempt < attempts; attempt++) {
    network.wire.fail('connection-failed')
    const { length } = network.wires
    const startedAt = clock.now()
    while (network.wires.length === length) clock.advance(50)
    pauses.push(clock.now() - startedAt)
  }
  return pauses
}

test('T56 attempts to connect grow apart, up to 30 s', () => {
  const pauses = pausesBetweenAttempts(scene(), 10)
  expect(pauses.slice(0, 4)).toEqual([400, 800, 1600, 3200])
  expect(pauses.at(-1)).toBe(30_000)
})

test('T56 maxBackoffTime bounds the pause', () => {
  expect(Math.max(...pausesBetweenAttempts(scene({ maxBackoffTime: 1000 }), 6))).toBe(1000)
})

test('T56 chance spreads the pauses over half of their length', () => {
  const clock = new ManualClock()
  const pause = (chance: number): number => {
    clock.chance = chance
    return new Backoff(clock, 30_000).nextPauseMs()
  }
  expect([pause(0), pause(0.5), pause(1)]).toEqual([200, 300, 400])
})

test('a connection that broke at once is no reason to start over with short pauses; one that held is', () => {
  const s = scene()
  const { network, clock } = s
  pausesBetweenAttempts(s, 3)
  network.wire.open()
  network.wire.break()
  const { length } = network.wires
  clock.advance(3199)
  expect(network.wires).toHaveLength(length)
  clock.advance(1)
  network.wire.open()
  clock.advance(10_000)
  network.wire.break()
  clock.advance(400)
  expect(network.wires).toHaveLength(length + 2)
})

test('T56 a permanent refusal of the connection is final, and every document hears of it', () => {
  const first = scene()
  const second = scene({ name: 'other', on: first })
  first.wire.fail('unsupported-protocol', 'never')
  for (const { events, provider } of [first, second]) {
    expect(events.at(-1)).toBe('closed:4426 unsupported-protocol')
    expect(provider.status).toBe('disconnected')
    expect(provider.shouldConnect).toBe(false)
  }
  expect(first.clock.timers).toBe(0)
  first.provider.connect()
  expect(first.network.wires).toHaveLength(2)
})

test('T56 a refused token that cannot change is final', () => {
  const { wire, events, clock, network } = scene({ token: 'stale' })
  wire.fail('unauthenticated', 'reauth')
  expect(events.at(-1)).toBe('closed:4401 unauthenticated')
  clock.advance(120_000)
  expect(network.wires).toHaveLength(1)
})

test('T53 a token function is asked at every attempt; the same token refused twice is final', async () => {
  const tokens = ['stale', 'fresh', 'stale', 'stale']
  const { network, events, clock, provider } = scene({ token: () => tokens.shift() ?? null })
  const nextAttempt = async (count: number): Promise<void> => {
    clock.advance(15_000)
    await Promise.resolve()
    await Promise.resolve()
    expect(network.wires).toHaveLength(count)
  }
  await nextAttempt(1)
  network.wire.fail('unauthenticated', 'reauth')
  await nextAttempt(2)
  expect(network.wire.target.auth).toEqual({ protocol: 1, token: 'fresh' })
  network.wire.open()
  network.wire.take('join').answer(joined())
  expect(provider.synced).toBe(true)
  network.wire.break()
  await nextAttempt(3)
  network.wire.fail('unauthenticated', 'reauth')
  await nextAttempt(4)
  network.wire.fail('unauthenticated', 'reauth')
  expect(events.at(-1)).toBe('closed:4401 unauthenticated')
})

test('a token function that fails is asked again later', async () => {
  let calls = 0
  const { network, clock, events } = scene({
    token: () => {
      calls++
      return calls === 1 ? Promise.reject(new Error('offline')) : 'fresh'
    },
  })
  await Promise.resolve()
  await Promise.resolve()
  await Promise.resolve()
  expect(events).toContain('error:token-failed')
  clock.advance(400)
  await Promise.resolve()
  expect(network.wire.target.auth['token']).toBe('fresh')
})

test('an attempt that the server does not answer is given up after 20 s', () => {
  const { network, clock, provider } = scene()
  clock.advance(20_000)
  expect(network.wire.isClosedByClient).toBe(true)
  expect(provider.status).toBe('disconnected')
  clock.advance(400)
  expect(network.wires).toHaveLength(2)
  // The wire given up comes too late.
  network.wires[0]?.open()
  expect(provider.status).toBe('connecting')
})

test.for([
  ['http://localhost:1234', 'http://localhost:1234/y-rooms'],
  ['https://docs.example/', 'https://docs.example/y-rooms'],
  ['https://docs.example/team', 'https://docs.example/team'],
  ['https://docs.example/team/', 'https://docs.example/team'],
  ['ws://localhost:1234', 'ws://localhost:1234/y-rooms'],
  ['localhost:1234', 'http://localhost:1234/y-rooms'],
  ['https://docs.example?tenant=a', 'https://docs.example/y-rooms?tenant=a'],
  ['', 'https://page.example/y-rooms'],
  ['/', 'https://page.example/y-rooms'],
  ['/team', 'https://page.example/team'],
])('the path of %j names the namespace: %j', ([url, address]) => {
  expect(serverAddress(url as string, 'https://page.example/notes?x=1')).toBe(address)
})

test('a URL without a host needs a page', () => {
  expect(() => serverAddress('/team', undefined)).toThrow('not a server URL')
  expect(() => serverAddress('', undefined)).toThrow('not a server URL')
})
