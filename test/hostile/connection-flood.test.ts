import { Manager } from 'socket.io-client'
import { PacketType } from 'socket.io-parser'
import { expect, onTestFinished, test } from 'vitest'
import { keystrokes, limitScene, type LimitScene } from './limit-scene.ts'

interface RawPacket {
  readonly type: number
  readonly nsp: string
  readonly data?: unknown
}

/** A connection that sends packets by hand: a stock client opens a namespace once. */
async function openEngine({ server }: LimitScene, transport = 'websocket') {
  const manager = new Manager(server.url, { transports: [transport], reconnection: false })
  onTestFinished(() => manager._close())
  const packets: RawPacket[] = []
  let isClosed = false
  const arrivals = new Set<() => void>()
  const arrived = (): void => arrivals.forEach((callback) => callback())
  manager.on('packet', (packet: RawPacket) => {
    packets.push(packet)
    arrived()
  })
  manager.on('close', () => {
    isClosed = true
    arrived()
  })
  await new Promise<void>((resolve, reject) => {
    manager.once('open', () => resolve())
    manager.once('error', reject)
  })
  return {
    packets,
    get isClosed() {
      return isClosed
    },
    send: (type: PacketType, nsp: string) =>
      manager._packet({ type, nsp, ...(type === PacketType.CONNECT ? { data: {} } : {}) } as never),
    async until(condition: () => boolean) {
      while (!condition())
        await new Promise<void>((resolve) => {
          const once = (): void => {
            arrivals.delete(once)
            resolve()
          }
          arrivals.add(once)
        })
    },
  }
}

const codeOf = ({ data }: RawPacket): unknown =>
  (data as { data?: { code?: string } } | undefined)?.data?.code

async function expectServed({ connect }: LimitScene): Promise<void> {
  const client = await connect()
  const { document } = await client.join('served', { clientId: 1 })
  expect(await client.update(document, keystrokes()())).toMatchObject({ ok: true })
  client.close()
}

test('T28 [LIM3] a thousand namespace connects on one connection: one socket, and refusals for every other namespace', async () => {
  const scene = await limitScene()
  const engine = await openEngine(scene)
  engine.send(PacketType.CONNECT, '/y-rooms')
  await engine.until(() => engine.packets.length === 1)
  expect(engine.packets[0]!.type).toBe(PacketType.CONNECT)
  for (let other = 0; other < 1000; other++) engine.send(PacketType.CONNECT, `/${other}`)
  await engine.until(() => engine.packets.length === 1001)
  expect(engine.packets.slice(1).every(({ type }) => type === PacketType.CONNECT_ERROR)).toBe(true)
  expect(engine.isClosed).toBe(false)
  // Once more into a namespace that it is in is nothing that a client does.
  engine.send(PacketType.CONNECT, '/y-rooms')
  await engine.until(() => engine.isClosed)
  await expectServed(scene)
})

test('T28 [LIM3] connects to one namespace while its first is looked at are refused, and the first is let in', async () => {
  let admit = (): void => undefined
  const scene = await limitScene({
    authenticate: () =>
      new Promise((resolve) => {
        admit = () => resolve({ id: 'ada' })
      }),
  })
  const engine = await openEngine(scene)
  for (let attempt = 0; attempt < 50; attempt++) engine.send(PacketType.CONNECT, '/y-rooms')
  await engine.until(() => engine.packets.length === 49)
  expect(new Set(engine.packets.map(codeOf))).toEqual(new Set(['already-connected']))
  admit()
  await engine.until(() => engine.packets.length === 50)
  expect(engine.packets[49]!.type).toBe(PacketType.CONNECT)
})

test('T28 [LIM3] who is not let in and goes on asking is disconnected', async () => {
  const scene = await limitScene({ authenticate: ({ auth }) => auth['token'] === 'good' ? { id: 'ada' } : null }) // prettier-ignore
  const engine = await openEngine(scene)
  for (let attempt = 0; attempt < 1000; attempt++) engine.send(PacketType.CONNECT, '/y-rooms')
  await engine.until(() => engine.isClosed)
  expect(engine.packets.length).toBeLessThan(65)
})

test('T28 [LIM3] a connection whose socket has left the namespace ends after ten seconds, unless it comes back', async () => {
  const scene = await limitScene()
  const [gone, back] = [await openEngine(scene), await openEngine(scene)]
  for (const engine of [gone, back]) {
    engine.send(PacketType.CONNECT, '/y-rooms')
    await engine.until(() => engine.packets.length === 1)
    engine.send(PacketType.DISCONNECT, '/y-rooms')
    // Its answer comes when the one before it has been handled.
    engine.send(PacketType.CONNECT, '/other')
    await engine.until(() => engine.packets.length === 2)
  }
  back.send(PacketType.CONNECT, '/y-rooms')
  await back.until(() => back.packets.length === 3)
  scene.clock.advance(9_999)
  expect(gone.isClosed).toBe(false)
  scene.clock.advance(1)
  await gone.until(() => gone.isClosed)
  back.send(PacketType.CONNECT, '/other')
  await back.until(() => back.packets.length === 4)
  expect(back.isClosed).toBe(false)
})

test('T28 [JOIN12] connections that join nothing are closed when their time is over, and counted', async () => {
  const scene = await limitScene({ joinTimeoutMs: 5000 })
  const idle = await Promise.all(Array.from({ length: 200 }, () => scene.connect()))
  const member = await scene.connect()
  await member.join('draft', { clientId: 1 })
  scene.clock.advance(5000)
  await Promise.all(idle.map((client) => client.until(() => !client.socket.connected)))
  expect(member.socket.connected).toBe(true)
  expect(await scene.hits('joinTimeoutMs')).toBe(200)
})

test('T28 [LIM4] connections of one address: some over the limit are told why, the rest are not let open, and one that ends makes room', async () => {
  const scene = await limitScene({ maxConnectionsPerAddress: 10 })
  const clients = await Promise.all(Array.from({ length: 10 }, () => scene.connect()))
  await expect(scene.connect()).rejects.toMatchObject({
    data: { code: 'too-many-connections', retry: 'backoff' },
  })
  expect(await scene.hits('maxConnectionsPerAddress')).toBe(1)
  // Without asking for the namespace they get no further than 32 more.
  const engines: unknown[] = []
  const refusals: unknown[] = []
  // At once: one that asks for no namespace makes room again after some seconds.
  await Promise.all(
    Array.from({ length: 50 }, () =>
      openEngine(scene, 'polling').then(
        (engine) => engines.push(engine),
        (error: unknown) => refusals.push(error),
      ),
    ),
  )
  expect(engines.length).toBeLessThanOrEqual(32)
  expect(refusals.length).toBe(50 - engines.length)
  expect(await scene.hits('maxConnectionsPerAddress')).toBe(1 + refusals.length)
  for (const client of clients) expect(client.socket.connected).toBe(true)
})

test('T28 [LIM4] behind a trusted proxy each client has an address of its own, which it cannot choose', async () => {
  const scene = await limitScene({ maxConnectionsPerAddress: 1, trustedProxies: 1 })
  const from = async (forwarded: string): Promise<string> => {
    const manager = new Manager(scene.server.url, {
      transports: ['websocket'],
      reconnection: false,
      extraHeaders: { 'X-Forwarded-For': forwarded },
    })
    onTestFinished(() => manager._close())
    const socket = manager.socket('/y-rooms')
    return new Promise((resolve) => {
      socket.once('connect', () => resolve('connected'))
      socket.once('connect_error', (error) =>
        resolve((error as { data?: { code?: string } }).data?.code ?? error.message),
      )
    })
  }
  expect(await from('192.0.2.1')).toBe('connected')
  expect(await from('192.0.2.2')).toBe('connected')
  // What the proxy wrote is at the end; the rest came from the client.
  expect(await from('198.51.100.7, 192.0.2.1')).toBe('too-many-connections')
  expect(await from('2001:db8:0:1::1')).toBe('connected')
  expect(await from('2001:db8::1:0:0:0:2')).toBe('too-many-connections')
  // With the port of that connection, as some proxies write it.
  expect(await from('192.0.2.1:50123')).toBe('too-many-connections')
  expect(await from('[2001:db8:0:1::1]:50124')).toBe('too-many-connections')
})

test('[LIM4] of many connections of one user that are let in at one moment no more come in than there may be', async () => {
  let letIn = (): void => undefined
  const moment = new Promise<void>((resolve) => (letIn = resolve))
  let waiting = 0
  const scene = await limitScene({
    maxConnectionsPerUser: 2,
    authenticate: async () => {
      if (++waiting === 10) letIn()
      await moment
      return { id: 'ada' }
    },
  })
  const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => scene.connect()))
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(2)
  expect(await scene.hits('maxConnectionsPerUser')).toBe(8)
})

test('[LIM4] a connection that leaves and comes back again and again is one connection, and leaves nothing behind', async () => {
  const warnings: string[] = []
  const handleWarning = ({ message }: Error): void => void warnings.push(message)
  process.on('warning', handleWarning)
  onTestFinished(() => void process.off('warning', handleWarning))
  const scene = await limitScene({ maxConnectionsPerAddress: 2 })
  const engine = await openEngine(scene)
  const answerTo = async (namespace: string): Promise<PacketType> => {
    const before = engine.packets.length
    engine.send(PacketType.CONNECT, namespace)
    await engine.until(() => engine.packets.length > before || engine.isClosed)
    return engine.packets.at(-1)!.type
  }
  for (let visit = 0; visit < 30; visit++) {
    expect(await answerTo('/y-rooms')).toBe(PacketType.CONNECT)
    engine.send(PacketType.DISCONNECT, '/y-rooms')
    // Its answer comes when the one before it has been handled.
    expect(await answerTo('/other')).toBe(PacketType.CONNECT_ERROR)
  }
  expect(await answerTo('/y-rooms')).toBe(PacketType.CONNECT)
  await scene.connect()
  await expect(scene.connect()).rejects.toMatchObject({ data: { code: 'too-many-connections' } })
  expect(warnings).toEqual([])
})

test('[LIM4] connections of one user, whatever the address, and others are let in', async () => {
  const scene = await limitScene({
    maxConnectionsPerUser: 2,
    authenticate: ({ auth }) => ({ id: String(auth['name']) }),
  })
  const first = await scene.connect({ name: 'ada' })
  await scene.connect({ name: 'ada' })
  await expect(scene.connect({ name: 'ada' })).rejects.toMatchObject({
    data: { code: 'too-many-connections', retry: 'backoff' },
  })
  expect(await scene.hits('maxConnectionsPerUser')).toBe(1)
  const witness = await scene.connect({ name: 'eve' })
  await witness.join('draft', { clientId: 2 })
  await first.join('draft', { clientId: 1 })
  first.close()
  for (;;) {
    const again = await scene.connect({ name: 'ada' }).catch(() => null)
    if (again !== null) break
  }
})
