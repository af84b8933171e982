import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { SocketIOProvider } from 'y-rooms/client'
import { decodePresence, encodePresence, type PresenceState } from '../support/awareness-message.ts'
import { startProxy } from '../support/cuttable-proxy.ts'
import { RawClient, updateOf } from '../support/raw-client.ts'
import { startServer, type RunningServer } from '../support/running-server.ts'
import { makeTempDirectory } from '../support/temp-directory.ts'
import { isWebSocketBlocked } from '../support/transport.ts'

let server: RunningServer
const clients: RawClient[] = []

async function connect(auth?: Record<string, unknown>, url = server.url): Promise<RawClient> {
  const client = await RawClient.connect(url, auth)
  clients.push(client)
  return client
}

const heard = (client: RawClient): PresenceState[] => client.awareness.flatMap(decodePresence)
const lastOf = (client: RawClient, clientId: number): PresenceState | undefined =>
  heard(client).findLast((state) => state.clientId === clientId)

async function startCalmServer(options: { presenceIntervalMs: number }): Promise<RunningServer> {
  const calm = await startServer(await makeTempDirectory(), options)
  onTestFinished(() => calm.close())
  return calm
}

beforeEach(async () => {
  server = await startServer(await makeTempDirectory(), {
    // Short, since two tests wait for it; not so short that a busy machine misses a pong.
    pingIntervalMs: 1000,
    pingTimeoutMs: 9000,
    // What is repeated unchanged is no answer to anything.
    presenceRefreshMs: 20_000,
    authenticate: ({ auth }) =>
      typeof auth['name'] === 'string'
        ? { id: auth['name'], presence: { name: auth['name'] } }
        : { id: 'anonymous' },
  })
})

afterEach(async () => {
  for (const client of clients.splice(0)) client.close()
  await server.close()
})

describe('presence', () => {
  test('T40 [PRES3] a clean close, a killed process and a lost network are seen by the others', async () => {
    const watcher = await connect()
    await watcher.join('room', { clientId: 1 })

    const polite = await connect()
    const { document } = await polite.join('room', { clientId: 2 })
    polite.socket.emit(
      'awareness',
      document,
      encodePresence({ clientId: 2, clock: 1, state: { at: 1 } }),
    )
    await watcher.until(() => lastOf(watcher, 2)?.state !== undefined)
    polite.close()
    await watcher.until(() => lastOf(watcher, 2)?.state === null)

    const child = spawn(
      process.execPath,
      [
        new URL('../fixtures/present-client.mjs', import.meta.url).pathname,
        server.url,
        'room',
        '3',
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    await watcher.until(() => lastOf(watcher, 3)?.state?.['name'] === 'child')
    child.kill('SIGKILL')
    await once(child, 'exit')
    await watcher.until(() => lastOf(watcher, 3)?.state === null)

    const proxy = await startProxy(Number(new URL(server.url).port))
    const remote = await connect(undefined, proxy.url)
    const joined = await remote.join('room', { clientId: 4 })
    remote.socket.emit(
      'awareness',
      joined.document,
      encodePresence({ clientId: 4, clock: 1, state: { at: 4 } }),
    )
    await watcher.until(() => lastOf(watcher, 4)?.state !== undefined)
    proxy.swallow()
    // No more pongs: gone with the ping timeout (10 s here).
    await watcher.until(() => lastOf(watcher, 4)?.state === null)
    await proxy.close()
  })

  test('T41 [PRES4] a client that returns with the id and clock it left with is seen at once', async () => {
    const watcher = await connect()
    await watcher.join('room', { clientId: 1 })
    const announcement = encodePresence({ clientId: 2, clock: 5, state: { cursor: 1 } })
    const before = await connect()
    const first = await before.join('room', { clientId: 2 })
    before.socket.emit('awareness', first.document, announcement)
    await watcher.until(() => lastOf(watcher, 2) !== undefined)
    const clockBefore = lastOf(watcher, 2)!.clock

    // The old connection is still open: the server has not noticed that its client is elsewhere.
    const after = await connect()
    const second = await after.join('room', { clientId: 2 })
    after.socket.emit('awareness', second.document, announcement)
    await watcher.until(
      () => (lastOf(watcher, 2)?.clock ?? 0) > clockBefore && lastOf(watcher, 2)?.state !== null,
    )
    expect(lastOf(watcher, 2)!.state).toEqual({ cursor: 1 })
  })

  test('T25 [PRES2] the late end of an old connection takes neither presence nor access from the new one', async () => {
    const proxy = await startProxy(Number(new URL(server.url).port))
    const watcher = await connect()
    const { document } = await watcher.join('room', { clientId: 1 })
    const old = await connect(undefined, proxy.url)
    await old.join('room', { clientId: 2 })
    await old.request(
      'awareness',
      document,
      encodePresence({ clientId: 2, clock: 1, state: { at: 'old' } }),
    )
    // What is left behind by a network that is gone; another document tells when the server has noticed it.
    const canary = await old.join('canary', { clientId: 4 })
    await old.request(
      'awareness',
      canary.document,
      encodePresence({ clientId: 4, clock: 1, state: { alive: true } }),
    )
    const undertaker = await connect()
    const present = await undertaker.join('canary', { clientId: 5 })
    expect(decodePresence(new Uint8Array(present.awareness!))).toHaveLength(1)

    const doc = new Y.Doc()
    const fresh = await connect()
    await fresh.join('room', { clientId: 2 })
    await fresh.request(
      'awareness',
      document,
      encodePresence({ clientId: 2, clock: 1, state: { at: 'new' } }),
    )
    await watcher.until(() => lastOf(watcher, 2)?.state?.['at'] === 'new')
    proxy.swallow()
    await undertaker.until(() => lastOf(undertaker, 4)?.state === null)

    const newcomer = await connect()
    const { awareness } = await newcomer.join('room', { clientId: 3 })
    expect(decodePresence(new Uint8Array(awareness!))).toMatchObject([
      { clientId: 2, state: { at: 'new' } },
    ])
    expect(lastOf(watcher, 2)!.state).toEqual({ at: 'new' })
    expect(
      await fresh.update(
        document,
        updateOf(doc, () => doc.getText('body').insert(0, 'still here')),
      ),
    ).toMatchObject({ ok: true, seq: 1 })
    await newcomer.until(() => newcomer.updates.length > 0)
    const moved = encodePresence({ clientId: 2, clock: 2, state: { at: 'moved' } })
    expect(await fresh.request('awareness', document, moved)).toEqual({ ok: true })
    await newcomer.until(() => lastOf(newcomer, 2)?.state?.['at'] === 'moved')
    await proxy.close()
  })

  test('T42 [PRES2] nobody sets, overwrites or removes the presence of another, or passes for another user', async () => {
    const [victim, attacker, watcher] = [
      await connect({ name: 'Ada' }),
      await connect({ name: 'Mallory' }),
      await connect(),
    ]
    await watcher.join('room', { clientId: 9 })
    const own = await victim.join('room', { clientId: 1, key: 'the-secret-of-the-victim' })
    await victim.request(
      'awareness',
      own.document,
      encodePresence({ clientId: 1, clock: 1, state: { cursor: 3 } }),
    )
    await watcher.until(() => lastOf(watcher, 1) !== undefined)

    const { document } = await attacker.join('room', { clientId: 2 })
    for (const state of [{ cursor: 66 }, null])
      expect(
        await attacker.request(
          'awareness',
          document,
          encodePresence({ clientId: 1, clock: 99, state }),
        ),
      ).toMatchObject({ ok: false, code: 'presence-not-yours' })
    // Joining with the victim's id but without its key claims nothing either.
    await attacker.join('room', { clientId: 1, key: 'not-the-secret-of-the-victim' })
    expect(
      await attacker.request(
        'awareness',
        document,
        encodePresence({ clientId: 1, clock: 99, state: null }),
      ),
    ).toMatchObject({ ok: false, code: 'presence-not-yours' })
    await attacker.request(
      'awareness',
      document,
      encodePresence({
        clientId: 2,
        clock: 1,
        state: { user: { name: 'Ada', color: '#123456' }, name: 'Ada' },
      }),
    )
    await watcher.until(() => lastOf(watcher, 2) !== undefined)
    expect(lastOf(watcher, 2)!.state).toEqual({
      user: { name: 'Mallory', color: '#123456' },
      name: 'Mallory',
    })
    attacker.close()
    await watcher.until(() => lastOf(watcher, 2)?.state === null)
    expect(lastOf(watcher, 1)!.state).toEqual({ cursor: 3, user: { name: 'Ada' } })
  })

  test('[PRES1] many moves in one interval become one message with the latest state', async () => {
    const watcher = await connect()
    await watcher.join('room', { clientId: 1 })
    const mover = await connect()
    const { document } = await mover.join('room', { clientId: 2 })
    for (let step = 1; step <= 100; step++)
      mover.socket.emit(
        'awareness',
        document,
        encodePresence({ clientId: 2, clock: step, state: { step } }),
      )
    await watcher.until(() => lastOf(watcher, 2)?.state?.['step'] === 100)
    expect(watcher.awareness.length).toBeLessThan(20)
  })

  test('T43 [PRES1] [PRES7] a hundred clients that come and go are few messages, and none of them is remembered', async () => {
    // However slowly they come and go: no pings that a busy machine misses, and an interval that holds many of them.
    const { url } = await startCalmServer({ presenceIntervalMs: 1000 })
    const watcher = await connect({}, url)
    const { document } = await watcher.join('room', { clientId: 1 })
    const crowd = await connect({}, url)
    await crowd.join('room', { clientId: 2 })
    for (let clientId = 1000; clientId < 1100; clientId++) {
      await crowd.join('room', { clientId })
      await crowd.request(
        'awareness',
        document,
        encodePresence({ clientId, clock: 1, state: { text: 'x'.repeat(1000) } }),
      )
      await crowd.leave(document, clientId)
    }
    const huge = encodePresence({ clientId: 2, clock: 1, state: { text: 'x'.repeat(20_000) } })
    expect(await crowd.request('awareness', document, huge)).toMatchObject({
      ok: false,
      code: 'presence-too-large',
    })
    await crowd.request(
      'awareness',
      document,
      encodePresence({ clientId: 2, clock: 2, state: { last: true } }),
    )
    await watcher.until(() => lastOf(watcher, 2)?.state?.['last'] === true)
    // Once per interval, with the state of that moment: hardly one of the hundred is seen at all. Where a request takes as
    // long as an interval, as over long polling, each of them is.
    if (!isWebSocketBlocked) expect(watcher.awareness.length).toBeLessThan(100)
    const newcomer = await connect({}, url)
    const { awareness } = await newcomer.join('room', { clientId: 3 })
    expect(decodePresence(new Uint8Array(awareness!)).map(({ clientId }) => clientId)).toEqual([2])
  })

  test('T44 a state that an editor changes in place is seen by the others', async () => {
    const mover = new SocketIOProvider(server.url, 'room', new Y.Doc())
    const watcher = new SocketIOProvider(server.url, 'room', new Y.Doc(), { socketIo: {} })
    await Promise.all([mover.whenSynced, watcher.whenSynced])
    const state: Record<string, unknown> = { focusing: false }
    mover.awareness.setLocalState(state)
    const seen = (): unknown => watcher.awareness.getStates().get(mover.doc.clientID)?.['focusing']
    await expect.poll(seen).toBe(false)
    state['focusing'] = true
    mover.awareness.setLocalState(state)
    await expect.poll(seen).toBe(true)
    mover.destroy()
    watcher.destroy()
  })

  test('T45 [PRES5] twenty moves by one peer cause no traffic from an idle one', async () => {
    const [moving, idle] = [new Y.Doc(), new Y.Doc()]
    const mover = new SocketIOProvider(server.url, 'room', moving)
    const watcher = new SocketIOProvider(server.url, 'room', idle)
    watcher.awareness.setLocalStateField('user', { name: 'idle' })
    await Promise.all([mover.whenSynced, watcher.whenSynced])
    const spy = await connect()
    await spy.join('room', { clientId: 1 })
    for (let step = 1; step <= 20; step++) {
      mover.awareness.setLocalStateField('step', step)
      await new Promise<void>((resolve) => {
        const seen = (): void => {
          if (watcher.awareness.getStates().get(moving.clientID)?.['step'] !== step) return
          watcher.awareness.off('change', seen)
          resolve()
        }
        watcher.awareness.on('change', seen)
      })
    }
    const fromIdle = heard(spy).filter((state) => state.clientId === idle.clientID)
    // Its own announcement at most; nothing that answers a move.
    expect(fromIdle.length).toBeLessThanOrEqual(1)
    mover.destroy()
    watcher.destroy()
  })
})
