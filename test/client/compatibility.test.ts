import { expect, test } from 'vitest'
import * as Y from 'yjs'
import { Awareness } from 'y-protocols/awareness'
import { SocketIOConnection, SocketIOProvider } from '../../client/index.ts'
import { countConnections } from '../../client/connection-registry.ts'
import { joined, OtherEditor } from './scripted-network.ts'
import { ManualClock } from './manual-clock.ts'
import { ScriptedNetwork } from './scripted-network.ts'
import { scene, type Scene } from './scene.ts'

/** Every call of a callback of the configuration, by name. */
function callbacks() {
  const calls: string[] = []
  const note =
    (name: string) =>
    (...[event]: unknown[]): void =>
      void calls.push(event === undefined ? name : `${name} ${JSON.stringify(event)}`)
  return {
    calls,
    config: {
      onConnect: note('connect'),
      onDisconnect: note('disconnect'),
      onStatus: note('status'),
      onSynced: note('synced'),
      onAuthenticated: note('authenticated'),
      onAuthenticationFailed: note('failed'),
      onUnsyncedChanges: note('unsynced'),
      onDestroy: () => void calls.push('destroy'),
    },
  }
}

/** Lets time pass until the client tries again. */
function reconnect({ network, clock }: Scene): void {
  for (const before = network.wires.length; network.wires.length === before;) clock.advance(50)
}

test('callbacks in the configuration are called as listeners would be, in the order of what happens', () => {
  const network = new ScriptedNetwork()
  const { calls, config } = callbacks()
  const provider = new SocketIOProvider({
    url: 'http://server.test',
    name: 'draft',
    network: network.connect,
    clock: new ManualClock(),
    ...config,
  })
  network.wire.open()
  network.wire.take('join').answer(joined())
  provider.document.getText('body').insert(0, 'a')
  network.wire.break()
  provider.destroy()
  expect(calls).toEqual([
    'status {"status":"connecting","connected":false}',
    'status {"status":"connected","connected":true}',
    'connect',
    'authenticated {"scope":"read-write"}',
    'synced {"state":true}',
    'unsynced {"number":1}',
    'status {"status":"disconnected","connected":false}',
    'disconnect {"event":{"code":1006,"reason":"transport close","wasClean":false}}',
    'destroy',
  ])
})

test('T51 T52 the scope is told when it is known and when a rejoin changes it, both ways', () => {
  const set = scene()
  const { provider, network, join } = set
  const scopes: string[] = []
  provider.on('scope', ({ scope, previous }) => scopes.push(`${previous} → ${scope}`))
  expect([provider.authorizedScope, provider.readOnly, provider.isAuthenticated]).toEqual([
    undefined,
    false,
    false,
  ])
  join({ access: 'read' })
  expect([provider.authorizedScope, provider.readOnly]).toEqual(['readonly', true])
  expect(provider.getSnapshot()).toMatchObject({ scope: 'readonly', readOnly: true })
  network.wire.break()
  // What we may do is not forgotten with the connection: an editor must not become writable by a cut.
  expect(provider.readOnly).toBe(true)
  reconnect(set)
  join({ access: 'write' })
  expect(provider.readOnly).toBe(false)
  expect(scopes).toEqual(['undefined → readonly', 'readonly → read-write'])
})

test('T56 a refusal for who we are is told as authenticationFailed, and is final', () => {
  const { provider, network } = scene()
  const failed: unknown[] = []
  provider.on('authenticationFailed', (event) => failed.push(event))
  network.wire.open()
  network.wire.take('join').refuse('forbidden')
  expect(failed).toEqual([{ reason: 'scripted forbidden', code: 'forbidden', permanent: true }])
  expect([provider.isAuthenticated, provider.shouldConnect]).toEqual([false, false])
})

test('the phases of a connection as y-sweet tells them', () => {
  const set = scene({ connect: false })
  const { provider, network, join } = set
  const phases: string[] = []
  provider.on('connection-status', (phase) => phases.push(phase))
  provider.connect()
  network.wire.open()
  join()
  network.wire.break()
  reconnect(set)
  network.wire.fail('connection-failed')
  provider.disconnect()
  expect(phases).toEqual([
    'connecting',
    'handshaking',
    'connected',
    'connecting',
    'error',
    'offline',
  ])
})

test('local-changes is told when there are some, and when there are none any more', () => {
  const { provider, type, join } = scene()
  const told: boolean[] = []
  provider.on('local-changes', (has) => told.push(has))
  const wire = join()
  type('a')
  type('b')
  expect(told).toEqual([true])
  for (const seq of [1, 2].slice(0, wire.count('update')))
    wire.take('update').answer({ ok: true, seq, entry: true })
  expect(provider.saveState).toBe(told.at(-1) ? 'saving' : 'saved')
})

test('T66 update hands on what others wrote, after it was applied, and nothing of our own', () => {
  const { provider, join, text, type } = scene()
  const seen: string[] = []
  provider.on('update', (update, origin) => {
    const copy = new Y.Doc()
    Y.applyUpdate(copy, update)
    seen.push(`${copy.getText('body').toJSON()} ${origin === provider} ${text()}`)
  })
  const other = new OtherEditor()
  join({ updates: [other.type('theirs')], seq: 1, head: 1, stateVector: other.stateVector })
  type(' ours')
  expect(seen).toEqual(['theirs true theirs'])
})

test('presence is handed over with client ids, also when a state is only repeated', () => {
  const { provider } = scene()
  const updates: unknown[] = []
  let changes = 0
  provider.on('awarenessUpdate', ({ states }) => updates.push(states))
  provider.on('awarenessChange', () => changes++)
  provider.setAwarenessField('user', { name: 'Ada' })
  provider.setAwarenessField('user', { name: 'Ada' })
  expect(updates).toEqual([
    [{ clientId: provider.awareness.clientID, user: { name: 'Ada' } }],
    [{ clientId: provider.awareness.clientID, user: { name: 'Ada' } }],
  ])
  expect(changes).toBe(1)
})

test('shouldReconnect is asked with the reason of the end; false leaves it at that', () => {
  const asked: unknown[] = []
  const set = scene({ shouldReconnect: (event) => asked.push(event.code) < 2 })
  const { provider, network, join, clock } = set
  join()
  network.wire.break()
  reconnect(set)
  join()
  network.wire.break()
  clock.advance(600_000)
  expect(asked).toEqual([1006, 1006])
  expect([network.wires.length, provider.shouldConnect]).toEqual([2, false])
  provider.connect()
  expect(network.wires).toHaveLength(3)
})

test('forceSync joins again and compares', () => {
  const { provider, wire, join } = scene()
  join()
  provider.forceSync()
  expect(wire.takeNotices('leave')).toHaveLength(1)
  wire.take('join').answer(joined())
  expect(provider.synced).toBe(true)
})

test('attach and detach are connect and disconnect', () => {
  const { provider, network } = scene({ connect: false })
  provider.attach()
  expect([provider.isConnectionPending, provider.isSyncPending]).toEqual([true, true])
  provider.detach()
  expect([network.wires.length, provider.isConnectionPending]).toEqual([1, false])
})

test('a connection that was given stays open for others; one of its own is nobody else’s', () => {
  const network = new ScriptedNetwork()
  const clock = new ManualClock()
  const options = { url: 'http://server.test', network: network.connect, clock }
  const held = countConnections()
  const shared = new SocketIOProvider({ ...options, name: 'a' })
  const same = new SocketIOProvider({ name: 'b', connection: shared.connection })
  const own = new SocketIOProvider({ ...options, name: 'c', shared: false })
  expect(same.connection).toBe(shared.connection)
  expect(own.connection).not.toBe(shared.connection)
  expect(countConnections()).toBe(held + 1)
  // It was only lent.
  same.destroy()
  expect([shared.shouldConnect, countConnections()]).toEqual([true, held + 1])
  own.destroy()
  expect(network.wires.map(({ isClosedByClient }) => isClosedByClient)).toEqual([false, true])
  shared.destroy()
  clock.endTurn()
  expect(countConnections()).toBe(held)
})

test('other params, other sockets; the same params, the same socket', () => {
  const network = new ScriptedNetwork()
  const options = { url: 'http://server.test', network: network.connect, clock: new ManualClock() }
  const [a, b, c] = ['1', '1', '2'].map(
    (tenant, index) => new SocketIOProvider({ ...options, name: `${index}`, params: { tenant } }),
  ) as [SocketIOProvider, SocketIOProvider, SocketIOProvider]
  expect(a.connection).toBe(b.connection)
  expect(a.connection).not.toBe(c.connection)
  for (const provider of [a, b, c]) provider.destroy()
})

test('subdocs: those that are loaded are followed on the same socket, until they are removed', () => {
  const doc = new Y.Doc()
  const early = new Y.Doc({ guid: 'early' })
  doc.getMap('chapters').set('early', early)
  early.load()
  const { provider, network, wire } = scene({ doc, subdocs: 'auto' })
  wire.open()
  const names = (): string[] =>
    wire.requests.filter(({ name }) => name === 'join').map(({ args }) => nameOf(args))
  expect(names()).toEqual(['draft', 'draft/early'])
  const late = new Y.Doc({ guid: 'late' })
  doc.getMap('chapters').set('late', late)
  late.load()
  expect([...provider.subdocuments.keys()]).toEqual(['early', 'late'])
  expect(names()).toContain('draft/late')
  expect(network.wires).toHaveLength(1)
  const follower = provider.subdocuments.get('late')
  // Presence is the parent's.
  expect(follower?.awareness.getLocalState()).toBeNull()
  doc.getMap('chapters').delete('late')
  expect([...provider.subdocuments.keys()]).toEqual(['early'])
  expect(follower?.shouldConnect).toBe(false)
  provider.disconnect()
  expect(provider.subdocuments.get('early')?.shouldConnect).toBe(false)
  provider.connect()
  expect(provider.subdocuments.get('early')?.shouldConnect).toBe(true)
})

function nameOf([request]: readonly unknown[]): string {
  return (request as { document: string }).document
}

test('T65 destroy leaves no listener of the surface behind', () => {
  const doc = new Y.Doc()
  const awareness = new Awareness(doc)
  const before = [...awareness._observers.values()].map(({ size }) => size)
  const { provider } = scene({ doc, awareness, subdocs: 'auto', warnOnClose: true })
  provider.destroy()
  expect([...awareness._observers.values()].map(({ size }) => size)).toEqual(before)
  expect(doc._observers.get('subdocs')?.size ?? 0).toBe(0)
  awareness.destroy()
})

test('a connection is no member’s to close while others use it', () => {
  const network = new ScriptedNetwork()
  const clock = new ManualClock()
  const url = 'http://server.test'
  const connection = new SocketIOConnection({ url, network: network.connect, clock })
  const [a, b] = ['a', 'b'].map(
    (name) => new SocketIOProvider({ name, websocketProvider: connection }),
  )
  a?.destroy()
  expect(connection.size).toBe(1)
  b?.destroy()
  clock.endTurn()
  expect(connection.status).toBe('disconnected')
})
