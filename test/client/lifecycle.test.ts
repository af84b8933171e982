import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { Awareness } from 'y-protocols/awareness'
import { SocketIOConnection, SocketIOProvider } from '../../client/index.ts'
import { countConnections } from '../../client/connection-registry.ts'
import { ManualClock } from './manual-clock.ts'
import { HANDLE, joined, OtherEditor, ScriptedNetwork } from './scripted-network.ts'
import { scene, type Scene } from './scene.ts'

const listeners = (observable: { readonly _observers: Map<unknown, Set<unknown>> }): number =>
  [...observable._observers.values()].reduce((sum, set) => sum + set.size, 0)

test('T64 connect, disconnect and destroy return nothing and can be called in any order, any number of times', () => {
  const { provider, network, clock } = scene({ connect: false })
  expect(network.wires).toHaveLength(0)
  expect(provider.disconnect()).toBeUndefined()
  expect(provider.connect()).toBeUndefined()
  expect(provider.connect()).toBeUndefined()
  expect(network.wires).toHaveLength(1)
  expect(provider.disconnect()).toBeUndefined()
  expect(provider.disconnect()).toBeUndefined()
  clock.endTurn()
  expect(network.wire.isClosedByClient).toBe(true)
  expect(provider.destroy()).toBeUndefined()
  expect(provider.destroy()).toBeUndefined()
  expect(provider.disconnect()).toBeUndefined()
  expect(provider.connect()).toBeUndefined()
  expect(network.wires).toHaveLength(1)
  expect(provider.status).toBe('disconnected')
})

test('T64 React StrictMode: mount, unmount, mount ends connected, and breaks off no attempt', () => {
  const { provider, network, join, clock } = scene({ connect: false })
  provider.connect()
  provider.disconnect()
  provider.connect()
  clock.endTurn()
  expect(network.wires).toHaveLength(1)
  expect(network.wire.isClosedByClient).toBe(false)
  join()
  expect(provider.status).toBe('connected')
  expect(provider.synced).toBe(true)
})

test('T64 disconnect and connect before the join was answered, on a socket that others keep open', () => {
  const keeper = scene({ name: 'other' })
  const { provider, wire } = scene({ on: keeper })
  wire.open()
  wire.take('join')
  provider.disconnect()
  provider.connect()
  // The join under way is taken up again: a second one would be answered twice.
  expect(wire.count('join')).toBe(1)
  wire.take('join').answer(joined())
  expect(provider.synced).toBe(true)
  expect(wire.takeNotices('leave')).toEqual([])
})

test('a join that nobody waits for any more is left again when its answer comes', () => {
  const keeper = scene({ name: 'other' })
  const { provider, doc, wire } = scene({ on: keeper })
  wire.open()
  wire.take('join')
  provider.disconnect()
  wire.take('join').answer(joined())
  expect(provider.synced).toBe(false)
  expect(wire.takeNotices('leave')).toEqual([[HANDLE, doc.clientID]])
})

test('T65 after destroy no listener, timer or socket is left', () => {
  const doc = new Y.Doc()
  onTestFinished(() => doc.destroy())
  const before = listeners(doc)
  const connectionsBefore = countConnections()
  const { provider, clock, network, join, type } = scene({ doc })
  const wire = join()
  type('a')
  clock.endTurn()
  provider.awareness.setLocalStateField('at', 1)
  provider.awareness.setLocalStateField('at', 2)
  provider.destroy()
  expect(listeners(doc)).toBe(before)
  // Another document may use the socket in the same turn.
  clock.endTurn()
  expect(listeners(provider)).toBe(0)
  expect(clock.timers).toBe(0)
  expect(wire.isClosedByClient).toBe(true)
  expect(network.wires).toHaveLength(1)
  expect(countConnections()).toBe(connectionsBefore)
  expect(provider.awareness._checkInterval).toHaveProperty('_destroyed', true)
})

test('T65 a caller’s own Awareness and Y.Doc are left as they were', () => {
  const doc = new Y.Doc()
  const awareness = new Awareness(doc)
  onTestFinished(() => doc.destroy())
  awareness.setLocalState({ name: 'Ada' })
  const before = listeners(awareness as unknown as Parameters<typeof listeners>[0])
  const { provider, join } = scene({ doc, awareness })
  expect(provider.awareness).toBe(awareness)
  join()
  provider.destroy()
  expect(awareness.getLocalState()).toEqual({ name: 'Ada' })
  expect(awareness._checkInterval).toHaveProperty('_destroyed', false)
  expect(listeners(awareness as unknown as Parameters<typeof listeners>[0])).toBe(before)
  expect(doc.isDestroyed).toBe(false)
})

test('T65 a provider that waits to reconnect leaves nothing either', () => {
  const { provider, clock, join, network } = scene()
  join()
  network.wire.break()
  expect(clock.timers).toBeGreaterThan(0)
  provider.destroy()
  clock.endTurn()
  expect(clock.timers).toBe(0)
  clock.advance(120_000)
  expect(network.wires).toHaveLength(1)
})

test('doc.destroy destroys the provider', () => {
  const { provider, doc, network, clock } = scene()
  let isDestroyed = false
  provider.on('destroy', () => (isDestroyed = true))
  doc.destroy()
  clock.endTurn()
  expect(isDestroyed).toBe(true)
  expect(network.wire.isClosedByClient).toBe(true)
})

test('what was typed in the turn of disconnect still goes out', () => {
  const { provider, join, type } = scene()
  const wire = join()
  type('last words')
  provider.disconnect()
  expect(wire.count('update')).toBe(1)
  expect(provider.unsyncedChanges).toBe(1)
})

test('T26 two documents on one socket, closed with the last', () => {
  const first = scene({ name: 'one' })
  const second = scene({ name: 'two', on: first })
  expect(first.provider.connection).toBe(second.provider.connection)
  expect(first.network.wires).toHaveLength(1)
  const { wire } = first
  wire.open()
  expect(wire.take('join').args[0].document).toBe('one')
  expect(wire.take('join').args[0].document).toBe('two')
  first.provider.destroy()
  first.clock.endTurn()
  expect(wire.isClosedByClient).toBe(false)
  second.provider.destroy()
  first.clock.endTurn()
  expect(wire.isClosedByClient).toBe(true)
})

test('T26 one document in two Y.Docs on one socket: both follow it, one leaves, the other stays', () => {
  const first = scene()
  const second = scene({ on: first })
  const { wire } = first
  wire.open()
  const requests = [wire.take('join'), wire.take('join')]
  expect(requests[0]?.args[0].clientId).not.toBe(requests[1]?.args[0].clientId)
  expect(requests[0]?.args[0].key).not.toBe(requests[1]?.args[0].key)
  for (const request of requests) request.answer(joined())
  const other = new OtherEditor()
  wire.relay(HANDLE, 1, 1, other.type('a'))
  expect([first.text(), second.text()]).toEqual(['a', 'a'])
  first.provider.disconnect()
  expect(wire.takeNotices('leave')).toEqual([[HANDLE, first.doc.clientID]])
  wire.relay(HANDLE, 2, 2, other.type('b'))
  expect([first.text(), second.text()]).toEqual(['a', 'ab'])
})

test('one Y.Doc handed from a destroyed provider to the next keeps its seat', () => {
  const keeper = scene({ name: 'other' })
  const first = scene({ on: keeper })
  const { wire } = first
  wire.open()
  wire.take('join').answer(joined({ document: 1 }))
  const pending = wire.take('join')
  first.provider.destroy()
  const second = scene({ on: keeper, doc: first.doc })
  const next = wire.take('join')
  expect(next.args[0].key).toBe(pending.args[0].key)
  pending.answer(joined())
  next.answer(joined())
  expect(wire.takeNotices('leave')).toEqual([])
  expect(second.provider.synced).toBe(true)
})

test('other tokens, other sockets', () => {
  const ada = scene({ token: 'ada' })
  const bob = scene({ token: 'bob', on: ada })
  expect(ada.provider.connection).not.toBe(bob.provider.connection)
  expect(ada.network.wires.map(({ target }) => target.auth)).toEqual([
    { protocol: 1, token: 'ada' },
    { protocol: 1, token: 'bob' },
  ])
})

test('a connection that was given is used, and not closed for others', () => {
  const clock = new ManualClock()
  const network = new ScriptedNetwork()
  const connection = new SocketIOConnection({
    url: 'http://server.test',
    network: network.connect,
    clock,
  })
  const first = new SocketIOProvider({ connection, name: 'one' })
  const second = new SocketIOProvider({ connection, name: 'two' })
  expect(network.wires).toHaveLength(1)
  first.destroy()
  expect(network.wire.isClosedByClient).toBe(false)
  second.destroy()
  clock.endTurn()
  expect(network.wire.isClosedByClient).toBe(true)
})

test('the names of other providers', () => {
  const { provider, doc, join, wire } = scene({ name: 'draft' })
  expect(provider).toMatchObject({
    name: 'draft',
    roomname: 'draft',
    roomName: 'draft',
    documentName: 'draft',
    document: doc,
    url: 'http://server.test',
    connected: false,
    wsconnecting: true,
    shouldConnect: true,
  })
  join()
  expect(provider).toMatchObject({ isConnected: true, wsconnected: true, wsconnecting: false })
  const closes: unknown[] = []
  provider.on('connection-close', (event) => closes.push(event))
  wire.break()
  expect(closes).toEqual([{ code: 1006, reason: 'transport close', wasClean: false }])
  expect(provider.wsconnected).toBe(false)
})

test('both forms of the constructor; a bad name or url is told at once', () => {
  const network = new ScriptedNetwork().connect
  const clock = new ManualClock()
  const doc = new Y.Doc()
  const options = { network, clock, connect: false }
  const positional = new SocketIOProvider('http://server.test', 'draft', doc, options)
  const named = new SocketIOProvider({
    url: 'http://server.test',
    name: 'draft',
    document: doc,
    ...options,
  })
  expect(positional.doc).toBe(named.doc)
  positional.destroy()
  named.destroy()
  expect(() => new SocketIOProvider('http://server.test', '', doc, options)).toThrow('empty')
  expect(() => new SocketIOProvider({ name: 'draft' })).toThrow('url')
  expect(() => new SocketIOProvider('http://', 'draft', doc)).toThrow('not a server URL')
  expect(listeners(doc)).toBe(listeners(new Y.Doc()))
})

test('subscribe calls with the state and its changes; the snapshot is the same object until then', () => {
  const { provider, join, type, clock } = scene()
  const states: string[] = []
  const stop = provider.subscribe(({ status, synced, saveState }) =>
    states.push(`${status} ${synced} ${saveState}`),
  )
  expect(provider.getSnapshot()).toBe(provider.getSnapshot())
  const wire = join()
  type('a')
  clock.endTurn()
  wire.take('update').answer({ ok: true, seq: 1, entry: true })
  expect(states[0]).toBe('connecting false saved')
  expect(states).toContain('connected true saving')
  expect(states.at(-1)).toBe('connected true saved')
  const count = states.length
  stop()
  type('b')
  expect(states).toHaveLength(count)
})

test('[SYNC11] one document after another in one turn: the socket stays', () => {
  const first = scene({ name: 'one' })
  const wire = first.join()
  first.provider.destroy()
  const second = scene({ name: 'two', on: first })
  first.clock.endTurn()
  expect(wire.takeNotices('leave')).toHaveLength(1)
  expect(second.network.wires).toHaveLength(1)
  second.join()
  expect(second.provider.synced).toBe(true)
})

test('[SYNC10] two providers on one Y.Doc: what the server sent to the one is no news from the other', () => {
  const first = scene()
  const second = scene({ on: first, doc: first.doc })
  const { wire, clock } = first
  wire.open()
  wire.take('join').answer(joined())
  wire.take('join').answer(joined())
  clock.endTurn()
  wire.relay(HANDLE, 1, 1, new OtherEditor().type('hi'))
  clock.endTurn()
  expect(first.text()).toBe('hi')
  expect(wire.count('update')).toBe(0)
  expect([first.provider.saveState, second.provider.saveState]).toEqual(['saved', 'saved'])
})

test('[SYNC3] whenLoaded rejects when nothing will come any more, and can be had again after connect', async () => {
  const { provider, wire, join } = scene()
  wire.open()
  wire.take('join').refuse('forbidden')
  await expect(provider.whenLoaded).rejects.toMatchObject({ code: 'forbidden' })
  provider.connect()
  const { whenLoaded } = provider
  join()
  expect(await whenLoaded).toBe(provider)
  const gone = scene()
  gone.provider.destroy()
  await expect(gone.provider.whenLoaded).rejects.toMatchObject({ code: 'destroyed' })
})

for (const [end, act] of [
  ['is closed', ({ wire }: Scene) => wire.sendClosed(HANDLE, 'server-closing')],
  ['joins again', ({ provider }: Scene) => provider.forceSync()],
] as const)
  test(`T64 [SYNC9] whoever disconnects when the document ${end} stays away, though others keep the socket open`, () => {
    const keeper = scene({ name: 'other' })
    const here = scene({ on: keeper })
    const { wire, provider, clock } = here
    wire.open()
    wire.take('join').answer(joined({ document: HANDLE + 1 }))
    wire.take('join').answer(joined())
    provider.once('sync', () => provider.disconnect())
    act(here)
    clock.advance(20_000)
    expect(wire.count('join')).toBe(0)
    expect([keeper.provider.synced, provider.synced]).toEqual([true, false])
    provider.connect()
    expect(wire.count('join')).toBe(1)
  })
