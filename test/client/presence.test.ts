import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { applyAwarenessUpdate, Awareness, encodeAwarenessUpdate } from 'y-protocols/awareness'
import { HANDLE, LIMITS } from './scripted-network.ts'
import { scene, type Scene } from './scene.ts'

/** Somebody else, whose clock the server counts. */
class Other {
  readonly id: number
  readonly awareness: Awareness

  constructor() {
    const doc = new Y.Doc()
    this.awareness = new Awareness(doc)
    this.id = doc.clientID
    onTestFinished(() => doc.destroy())
  }

  says(state: Record<string, unknown> | null, clock: number): Uint8Array {
    this.awareness.setLocalState(state)
    this.awareness.meta.set(this.id, { clock, lastUpdated: 0 })
    return encodeAwarenessUpdate(this.awareness, [this.id])
  }
}

function statesOf(update: unknown): [number, unknown][] {
  const reader = new Awareness(new Y.Doc())
  reader.setLocalState(null)
  const seen: [number, unknown][] = []
  // Clock 0 is ignored for unknown ids, so the bytes are read with a clock of at least 1 in every test.
  applyTo(reader, update as Uint8Array)
  for (const [id, state] of reader.getStates()) seen.push([id, state])
  reader.doc.destroy()
  return seen
}

function applyTo(awareness: Awareness, update: Uint8Array): void {
  awareness.meta.clear()
  applyAwarenessUpdate(awareness, update, 'test')
}

const sent = ({ wire }: Scene): [number, unknown][][] =>
  wire.takeNotices('awareness').map(([handle, update]) => {
    expect(handle).toBe(HANDLE)
    return statesOf(update)
  })

test('T41 the local state is announced at each join, with the same clock if nothing changed', () => {
  const s = scene()
  const { provider, doc, clock, join } = s
  provider.awareness.setLocalStateField('name', 'Ada')
  join()
  expect(sent(s)).toEqual([[[doc.clientID, { name: 'Ada' }]]])
  s.wire.break()
  expect(provider.awareness.getLocalState()).toEqual({ name: 'Ada' })
  clock.advance(400)
  join()
  expect(sent(s)).toEqual([[[doc.clientID, { name: 'Ada' }]]])
})

test('moves are sent at once, then at most every 40 ms, the latest of them', () => {
  const s = scene()
  const { provider, doc, clock, join } = s
  provider.awareness.setLocalStateField('at', -1)
  join()
  sent(s)
  clock.advance(1000)
  for (let at = 0; at < 20; at++) provider.awareness.setLocalStateField('at', at)
  expect(sent(s)).toEqual([[[doc.clientID, { at: 0 }]]])
  clock.advance(39)
  expect(sent(s)).toEqual([])
  clock.advance(1)
  expect(sent(s)).toEqual([[[doc.clientID, { at: 19 }]]])
  clock.advance(1000)
  expect(sent(s)).toEqual([])
})

test('T44 a state that was mutated in place is sent', () => {
  const s = scene()
  const { provider, doc, clock, join } = s
  const state: Record<string, unknown> = { focusing: false }
  provider.awareness.setLocalState(state)
  join()
  sent(s)
  clock.advance(1000)
  state['focusing'] = true
  provider.awareness.setLocalState(state)
  expect(sent(s)).toEqual([[[doc.clientID, { focusing: true }]]])
})

test('a state that is repeated to stay visible is not sent: the server keeps it', () => {
  const s = scene()
  const { provider, clock, join } = s
  provider.awareness.setLocalState({ name: 'Ada' })
  join()
  sent(s)
  clock.advance(15_000)
  provider.awareness.setLocalState(provider.awareness.getLocalState())
  clock.advance(1000)
  expect(sent(s)).toEqual([])
})

test('T45 20 moves of somebody else cause no traffic from an idle client', () => {
  const s = scene()
  const { provider, clock, join } = s
  const wire = join()
  sent(s)
  const other = new Other()
  for (let move = 1; move <= 20; move++) {
    wire.sendAwareness(HANDLE, other.says({ move }, 100 + move))
    clock.advance(50)
  }
  expect(provider.awareness.getStates().get(other.id)).toEqual({ move: 20 })
  expect(sent(s)).toEqual([])
  expect(wire.requests).toEqual([])
})

test('who is present comes with the join, with the provider as origin', () => {
  const { provider, join } = scene()
  const origins: unknown[] = []
  provider.awareness.on('change', (_change: unknown, origin: unknown) => origins.push(origin))
  const other = new Other()
  join({ awareness: other.says({ name: 'Bob' }, 5) })
  expect(provider.awareness.getStates().get(other.id)).toEqual({ name: 'Bob' })
  expect(origins).toEqual([provider])
})

test('T42 the server’s copy of our own state is ignored, also its removal', () => {
  const { provider, doc, join } = scene()
  const wire = join()
  provider.awareness.setLocalState({ name: 'Ada' })
  const clockBefore = provider.awareness.meta.get(doc.clientID)?.clock
  const ghost = new Other()
  const echo = (state: Record<string, unknown> | null): Uint8Array => {
    ghost.awareness.clientID = doc.clientID
    ghost.awareness.setLocalState(state)
    ghost.awareness.meta.set(doc.clientID, { clock: 1e12, lastUpdated: 0 })
    return encodeAwarenessUpdate(ghost.awareness, [doc.clientID])
  }
  wire.sendAwareness(HANDLE, echo({ name: 'Mallory' }))
  wire.sendAwareness(HANDLE, echo(null))
  expect(provider.awareness.getLocalState()).toEqual({ name: 'Ada' })
  expect(provider.awareness.meta.get(doc.clientID)?.clock).toBe(clockBefore)
})

test('T40 T41 with the connection go all remote states and their clocks, so that smaller clocks are seen', () => {
  const { provider, doc, clock, join, wire } = scene()
  const other = new Other()
  join({ awareness: other.says({ name: 'Bob' }, 1_700_000_000_000) })
  const changes: { removed: number[] }[] = []
  provider.awareness.on('change', (change: { removed: number[] }) => changes.push(change))
  wire.break()
  expect([...provider.awareness.getStates().keys()]).toEqual([doc.clientID])
  expect([...provider.awareness.meta.keys()]).toEqual([doc.clientID])
  expect(changes).toMatchObject([{ removed: [other.id] }])
  clock.advance(400)
  // A server whose clock started anew.
  join({ awareness: other.says({ name: 'Bob' }, 1) })
  expect(provider.awareness.getStates().get(other.id)).toEqual({ name: 'Bob' })
})

test('T43 somebody who left is forgotten, and added anew on return', () => {
  const { provider, join } = scene()
  const wire = join()
  const other = new Other()
  const changes: { added: number[]; removed: number[] }[] = []
  provider.awareness.on('change', (change: { added: number[]; removed: number[] }) =>
    changes.push(change),
  )
  wire.sendAwareness(HANDLE, other.says({ name: 'Bob' }, 10))
  wire.sendAwareness(HANDLE, other.says(null, 11))
  expect(provider.awareness.meta.has(other.id)).toBe(false)
  wire.sendAwareness(HANDLE, other.says({ name: 'Bob' }, 12))
  expect(changes.map(({ added, removed }) => ({ added, removed }))).toEqual([
    { added: [other.id], removed: [] },
    { added: [], removed: [other.id] },
    { added: [other.id], removed: [] },
  ])
})

test('states that came from elsewhere stay when the server is lost, and are not sent to it', () => {
  const awareness = new Awareness(new Y.Doc())
  onTestFinished(() => awareness.doc.destroy())
  const s = scene({ awareness, doc: awareness.doc })
  s.join()
  sent(s)
  const neighbour = new Other()
  applyAwarenessUpdate(awareness, neighbour.says({ name: 'Eve' }, 3), 'a peer-to-peer provider')
  s.clock.advance(1000)
  expect(sent(s)).toEqual([])
  s.wire.break()
  expect(awareness.getStates().get(neighbour.id)).toEqual({ name: 'Eve' })
})

test('a state over the server’s limit is not sent, and told as an error', () => {
  const s = scene()
  const { provider, clock, join, events } = s
  join()
  sent(s)
  clock.advance(1000)
  provider.awareness.setLocalState({ avatar: 'x'.repeat(LIMITS.presenceBytes) })
  expect(sent(s)).toEqual([])
  expect(events).toContain('error:presence-too-large')
})

test('awareness: null publishes nothing', () => {
  const s = scene({ awareness: null })
  s.join()
  expect(sent(s)).toEqual([])
  expect(s.provider.awareness.getLocalState()).toBeNull()
})

test('T40 others come and go while a large document loads: who left is not there afterwards', () => {
  const s = scene()
  const { provider, wire, join } = s
  const [leaver, stayer] = [new Other(), new Other()]
  const others = (): number[] =>
    [...provider.awareness.getStates().keys()].filter((id) => id !== provider.awareness.clientID)
  const bytes = Y.encodeStateAsUpdate(new Y.Doc())
  const snapshot = { seq: 1, bytes: bytes.length, chunkBytes: 10 }
  join({ seq: 1, head: 1, snapshot, awareness: leaver.says({ name: 'Eve' }, 1) })
  expect(others()).toEqual([leaver.id])
  wire.sendAwareness(HANDLE, leaver.says(null, 2))
  wire.sendAwareness(HANDLE, stayer.says({ name: 'Bob' }, 1))
  wire.take('pull').answer({ ok: true, seq: 1, updates: [bytes] })
  expect(provider.synced).toBe(true)
  expect(others()).toEqual([stayer.id])
  // The same when the connection breaks before everything is there.
  wire.break()
  expect(others()).toEqual([])
  s.clock.advance(400)
  join({ seq: 1, head: 1, snapshot, awareness: stayer.says({ name: 'Bob' }, 1) })
  expect(others()).toEqual([stayer.id])
  s.wire.break()
  expect(others()).toEqual([])
})

test('a presence state that is no JSON is told, shown to nobody, and keeps nothing from working', () => {
  const { provider, join, events } = scene()
  provider.awareness.setLocalState({ count: 1n })
  const wire = join()
  expect(provider.synced).toBe(true)
  expect(events).toContain('error:malformed-awareness')
  expect(wire.takeNotices('awareness')).toEqual([])
  provider.awareness.setLocalState({ count: 1 })
  expect(wire.takeNotices('awareness')).toHaveLength(1)
})
