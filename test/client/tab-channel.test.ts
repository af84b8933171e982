import { expect, test } from 'vitest'
import * as Y from 'yjs'
import { Awareness, encodeAwarenessUpdate } from 'y-protocols/awareness'
import type { ProviderOptions } from '../../client/index.ts'
import type { TrackedPersistence } from '../../client/persistence/local-persistence.ts'
import { scene, type Scene } from './scene.ts'
import { HANDLE, OtherEditor } from './scripted-network.ts'
import { ScriptedTabs } from './scripted-tabs.ts'

interface TwoTabs {
  readonly tabs: ScriptedTabs
  readonly left: Scene
  readonly right: Scene
}

/** Two tabs of one browser that know of each other. Each has a network and a clock of its own. */
function twoTabs(left: ProviderOptions = {}, right: ProviderOptions = left): TwoTabs {
  const tabs = new ScriptedTabs()
  const both = {
    tabs,
    left: scene({ tabs: tabs.open, ...left }),
    right: scene({ tabs: tabs.open, ...right }),
  }
  tabs.deliver()
  tabs.posted.splice(0)
  return both
}

/** Two tabs that are in the document, with write access unless said otherwise. */
function twoJoined(access: { left?: 'read'; right?: 'read' } = {}): TwoTabs {
  const both = twoTabs()
  both.left.join({ access: access.left ?? 'write' })
  both.right.join({ access: access.right ?? 'write' })
  both.tabs.deliver()
  both.tabs.posted.splice(0)
  return both
}

/** How many messages with changes a tab has sent and has no answer to. */
function uploads({ clock, network }: Scene): number {
  clock.endTurn()
  return network.wire.count('update')
}

/** The text of what a tab uploads; it is durable then. */
function save({ clock, network }: Scene): string {
  clock.endTurn()
  const request = network.wire.take('update')
  const copy = new Y.Doc()
  Y.applyUpdate(copy, request.args[1] as Uint8Array)
  request.answer({ ok: true, seq: 1, entry: true })
  clock.endTurn()
  const text = copy.getText('body').toJSON()
  copy.destroy()
  return text
}

test('[TAB1] tabs without a server see what each types, and what was there before', () => {
  const { tabs, left, right } = twoTabs()
  left.type('a')
  right.type('b')
  tabs.deliver()
  expect(left.text()).toHaveLength(2)
  expect(right.text()).toBe(left.text())
  const late = scene({ tabs: tabs.open })
  late.type('c')
  tabs.deliver()
  expect(late.text()).toHaveLength(3)
  expect(left.text()).toBe(late.text())
  expect(right.text()).toBe(late.text())
})

test('[TAB11] of many tabs one gives a newcomer the document, the others what that one lacks, as a rule nothing', () => {
  const tabs = new ScriptedTabs()
  const old = Array.from({ length: 8 }, () => scene({ tabs: tabs.open }))
  tabs.deliver()
  for (const [index, tab] of old.entries()) tab.type(`${index} ${'x'.repeat(1000)}`)
  tabs.deliver()
  const sizes: number[] = []
  tabs.handlePosted = ({ type, update }) => {
    if (type === 'state') sizes.push(update?.length ?? 0)
  }
  const newcomer = scene({ tabs: tabs.open })
  tabs.deliver()
  expect(newcomer.text()).toBe(old[0]?.text())
  expect(newcomer.text().length).toBe(8 * 1002)
  expect(sizes.filter((size) => size > 1000)).toHaveLength(1)
})

test('[TAB11] [TAB1] a newcomer gets what only one of the tabs has, deletions too, and gives each what it has itself', () => {
  const tabs = new ScriptedTabs()
  const [left, right] = [scene({ tabs: tabs.open }), scene({ tabs: tabs.open })]
  tabs.deliver()
  left.type('abc')
  tabs.deliver()
  left.type('left')
  right.doc.getText('body').delete(0, 1)
  tabs.lose()
  const newcomer = scene({ tabs: tabs.open, connect: false })
  newcomer.type('!')
  newcomer.provider.connectBc()
  tabs.deliver()
  expect(newcomer.text()).toContain('bcleft')
  expect(newcomer.text()).not.toContain('a')
  for (const tab of [left, right]) expect(tab.text()).toContain('!')
})

test('[TAB11] a tab that was asked and dies, or is frozen, keeps no newcomer waiting', () => {
  const tabs = new ScriptedTabs()
  const [first, second] = [scene({ tabs: tabs.open }), scene({ tabs: tabs.open })]
  tabs.deliver()
  first.type('abc')
  tabs.deliver()
  tabs.drops = ({ type }) => type === 'state'
  const newcomer = scene({ tabs: tabs.open })
  tabs.deliver()
  expect(newcomer.text()).toBe('')
  tabs.drops = () => false
  newcomer.clock.advance(2000)
  tabs.deliver()
  expect(newcomer.text()).toBe('abc')
  expect(second.text()).toBe('abc')
  newcomer.provider.destroy()
  newcomer.clock.endTurn()
  expect(newcomer.clock.timers).toBe(0)
})

test('T60 [TAB1] a tab is not in sync by what another tab has', () => {
  const { tabs, left, right } = twoTabs()
  left.join()
  left.type('a')
  tabs.deliver()
  expect(right.text()).toBe('a')
  expect(right.provider.synced).toBe(false)
  expect(right.events).not.toContain('sync:true')
})

test('T63 [TAB2] an edit is posted once, and nobody says it again', () => {
  const { tabs, left, right } = twoTabs()
  const third = scene({ tabs: tabs.open })
  tabs.deliver()
  tabs.posted.splice(0)
  left.type('a')
  expect(tabs.deliver()).toBeLessThan(8)
  expect(tabs.posted.filter((type) => type === 'edit' || type === 'state')).toEqual(['edit'])
  expect([right.text(), third.text()]).toEqual(['a', 'a'])
})

test('T63 [TAB2] what the server sends is not posted', () => {
  const { tabs, left, right } = twoJoined()
  const other = new OtherEditor()
  left.wire.relay(HANDLE, 1, 1, other.type('theirs'))
  expect(left.text()).toBe('theirs')
  tabs.deliver()
  expect(tabs.posted).toEqual([])
  expect(right.text()).toBe('')
})

test('T63 [TAB3] whose edit it is uploads it, and no other tab', () => {
  const { tabs, left, right } = twoJoined()
  left.type('a')
  tabs.deliver()
  expect(right.text()).toBe('a')
  expect(right.provider.unsyncedChanges).toBe(0)
  expect(left.provider.saveState).toBe('saving')
  expect(uploads(right)).toBe(0)
  expect(save(left)).toBe('a')
  expect(left.provider.saveState).toBe('saved')
  tabs.deliver()
  right.type('b')
  expect(save(right)).toBe('')
  expect(right.text()).toBe('ab')
})

test('T63 [TAB3] the edit of a tab that has no server is uploaded by one that has', () => {
  const { tabs, left, right } = twoTabs()
  right.join()
  tabs.deliver()
  left.type('a')
  tabs.deliver()
  expect(left.provider.saveState).toBe('unsaved')
  expect(right.provider.saveState).toBe('saving')
  expect(save(right)).toBe('a')
  expect(right.provider.saveState).toBe('saved')
  expect(left.provider.saveState).toBe('unsaved')
})

test('T63 [TAB3] what tabs exchanged without a server is compared when one joins', () => {
  const { tabs, left, right } = twoTabs()
  left.type('a')
  tabs.deliver()
  expect(right.provider.saveState).toBe('unsaved')
  // Had the server got it by then, nothing would go there.
  right.join({ seq: 1, stateVector: Y.encodeStateVector(left.doc) })
  expect(right.provider.saveState).toBe('saved')
  expect(uploads(right)).toBe(0)
  const later = scene({ tabs: tabs.open })
  tabs.deliver()
  later.join()
  expect(save(later)).toBe('a')
})

test('T63 [TAB3] the local copy takes its marks off only when the other tab says that its edit is durable', async () => {
  const confirmed: string[] = []
  const tabs = new ScriptedTabs()
  const left = scene({ tabs: tabs.open })
  const copy: TrackedPersistence = {
    synced: true,
    whenSynced: Promise.resolve(),
    isStored: true,
    attach: (client) =>
      client?.handleLoaded({ epoch: null, pending: null, pendingChanges: 0, isUnverified: false }),
    stampEpoch: () => undefined,
    confirm: () => confirmed.push(right.text()),
    setAside: () => Promise.resolve(),
    destroy: () => undefined,
  }
  const right = scene({ tabs: tabs.open, persistence: copy })
  await right.provider.whenLocalSynced
  left.join()
  right.join()
  tabs.deliver()
  left.type('a')
  tabs.deliver()
  expect(right.text()).toBe('a')
  // Whatever else happens to its own changes meanwhile.
  right.type('b')
  save(right)
  expect(confirmed).not.toContain('a')
  expect(confirmed).not.toContain('ab')
  save(left)
  tabs.deliver()
  expect(confirmed).toContain('ab')
})

for (const end of ['disconnect', 'destroy'] as const)
  test(`T63 [TAB4] when a tab ends with ${end} and its edit was not durable, another uploads it, deletions too`, () => {
    const { tabs, left, right } = twoJoined()
    left.type('ab')
    tabs.deliver()
    save(left)
    tabs.deliver()
    left.doc.getText('body').delete(0, 1)
    tabs.deliver()
    expect(uploads(right)).toBe(0)
    left.provider[end]()
    tabs.deliver()
    // The server has both letters: a state vector does not show the deletion.
    right.join({ seq: 1, stateVector: Y.encodeStateVector(right.doc) })
    right.clock.endTurn()
    const { ds } = Y.decodeUpdate(right.wire.take('update').args[1] as Uint8Array)
    expect([...ds.clients.keys()]).toEqual([left.doc.clientID])
    expect(right.text()).toBe('b')
  })

test('T63 [TAB4] when a tab loses the server with edits on the way, one that has it compares', () => {
  const { tabs, left, right } = twoJoined()
  left.type('a')
  tabs.deliver()
  left.clock.endTurn()
  left.wire.break()
  tabs.deliver()
  right.join()
  expect(save(right)).toBe('a')
})

test('T63 [TAB4] a tab that dies without a word is found out by silence', () => {
  const { tabs, left, right } = twoJoined()
  left.provider.awareness.setLocalStateField('name', 'Ada')
  left.type('a')
  tabs.deliver()
  expect(right.provider.awareness.getStates().has(left.doc.clientID)).toBe(true)
  right.clock.advance(30_000)
  expect(right.provider.awareness.getStates().has(left.doc.clientID)).toBe(true)
  right.clock.advance(15_000)
  expect(right.provider.awareness.getStates().has(left.doc.clientID)).toBe(false)
  right.join()
  expect(save(right)).toBe('a')
})

test('[TAB4] a tab that answers stays, however slow our clock', () => {
  const { tabs, left, right } = twoJoined()
  left.provider.awareness.setLocalStateField('name', 'Ada')
  tabs.deliver()
  for (let minute = 0; minute < 5; minute++) {
    right.clock.advance(15_000)
    tabs.deliver()
  }
  expect(right.provider.awareness.getStates().get(left.doc.clientID)).toEqual({ name: 'Ada' })
})

test('T63 [TAB5] a tab that may only read gives no edit to one that may write, then or later', () => {
  const { tabs, left, right } = twoJoined({ left: 'read' })
  left.type('not allowed')
  tabs.deliver()
  expect(right.text()).toBe('')
  // Asked for its state, and when it goes.
  const late = scene({ tabs: tabs.open })
  tabs.deliver()
  left.provider.destroy()
  tabs.deliver()
  expect([late.text(), right.text()]).toEqual(['', ''])
  expect(uploads(right)).toBe(0)
})

test('T51 [TAB5] a tab that may only read takes nothing from tabs, and gives again once it may write', () => {
  const { tabs, left, right } = twoJoined({ left: 'read' })
  right.type('a')
  tabs.deliver()
  expect(left.text()).toBe('')
  left.wire.sendAccess(HANDLE, 'write')
  tabs.deliver()
  expect(left.text()).toBe('a')
  left.type('b')
  tabs.deliver()
  expect(right.text()).toBe('ab')
})

test('T66 [TAB6] edits of other tabs are nobody here’s: not local, with an origin, not undone', () => {
  const { tabs, left, right } = twoTabs()
  const undo = new Y.UndoManager(right.doc.getText('body'))
  const seen: [boolean, boolean][] = []
  right.doc.on('afterTransaction', ({ local, origin }) => seen.push([local, origin !== null]))
  left.type('a')
  tabs.deliver()
  expect(seen).toEqual([[false, true]])
  undo.undo()
  expect(right.text()).toBe('a')
  undo.destroy()
})

test('T15 [TAB7] tabs with different histories of the document share nothing', () => {
  const { tabs, left, right } = twoTabs()
  left.join({ epoch: 'old' })
  right.join({ epoch: 'new' })
  left.type('a')
  right.type('b')
  tabs.deliver()
  expect([left.text(), right.text()]).toEqual(['a', 'b'])
})

test('T15 [TAB7] a tab that takes content of a history belongs to it', () => {
  const { tabs, left, right } = twoTabs()
  left.join({ epoch: 'old' })
  left.type('a')
  tabs.deliver()
  expect(right.text()).toBe('a')
  right.wire.open()
  expect(right.wire.take('join').args[0].epoch).toBe('old')
})

test('T15 [TAB7] a tab whose edit another took into a history belongs to it, though it took nothing', () => {
  const { tabs, left, right } = twoTabs()
  right.type('a')
  tabs.deliver()
  left.join({ epoch: 'old' })
  expect(save(left)).toBe('a')
  tabs.deliver()
  right.wire.open()
  expect(right.wire.take('join').args[0].epoch).toBe('old')
})

test('T15 [TAB7] an empty document belongs to no history until it takes something of it', () => {
  const { tabs, left, right } = twoTabs()
  left.join({ epoch: 'old' })
  tabs.deliver()
  right.wire.open()
  expect(right.wire.take('join').args[0].epoch).toBeUndefined()
})

test('T15 [TAB7] a document that begins a new history takes nothing from a tab that has the old one', async () => {
  const { tabs, left, right } = twoJoined()
  left.provider.on('reload', () => undefined)
  left.type('old')
  tabs.deliver()
  left.wire.break()
  left.clock.advance(1000)
  left.join({ epoch: 'epoch-2' })
  await expect.poll(() => left.provider.doc !== left.doc).toBe(true)
  tabs.deliver()
  expect(left.provider.bcconnected).toBe(false)
  left.join({ epoch: 'epoch-2' })
  expect(left.provider.bcconnected).toBe(true)
  tabs.deliver()
  expect(left.provider.doc.getText('body').toJSON()).toBe('')
  expect(right.text()).toBe('old')
})

test('[TAB8] tabs meet by server, document and user; the token shows nowhere', () => {
  const tabs = new ScriptedTabs()
  const open = (options: ProviderOptions & { name?: string }): Scene =>
    scene({ tabs: tabs.open, ...options })
  open({ token: 'secret-of-ada' })
  open({ token: 'secret-of-ada' })
  expect(tabs.names).toHaveLength(1)
  open({ token: 'secret-of-bob' })
  open({})
  open({ name: 'other' })
  open({ token: () => 'secret-of-ada' })
  open({ token: () => 'secret-of-ada' })
  expect(tabs.names).toHaveLength(6)
  open({ token: () => 'x', auth: { user: 'ada' } })
  open({ token: () => 'y', auth: { user: 'ada' } })
  expect(tabs.names).toHaveLength(7)
  for (const name of tabs.names) expect(name).not.toContain('secret')
})

test('[TAB9] presence passes between tabs, each its own, and goes with the tab', () => {
  const { tabs, left, right } = twoTabs()
  left.provider.awareness.setLocalStateField('name', 'Ada')
  tabs.deliver()
  const states = right.provider.awareness.getStates()
  expect(states.get(left.doc.clientID)).toEqual({ name: 'Ada' })
  left.provider.disconnect()
  tabs.deliver()
  expect(states.has(left.doc.clientID)).toBe(false)
  expect(left.provider.awareness.getLocalState()).toEqual({ name: 'Ada' })
  left.provider.connect()
  tabs.deliver()
  expect(states.get(left.doc.clientID)).toEqual({ name: 'Ada' })
})

test('[TAB9] what the server says of a tab goes before what the tab says, without a flicker', () => {
  const { tabs, left, right } = twoJoined()
  const { awareness } = right.provider
  left.provider.awareness.setLocalStateField('name', 'Ada')
  tabs.deliver()
  const changes: unknown[] = []
  awareness.on('change', () => changes.push(awareness.getStates().get(left.doc.clientID)))
  right.wire.sendAwareness(HANDLE, stamped(left, { name: 'Ada', verified: true }))
  left.provider.awareness.setLocalStateField('name', 'Ada L.')
  tabs.deliver()
  expect(changes).toEqual([{ name: 'Ada', verified: true }])
  // The server loses sight of it, and then we lose the server: the tab is still there.
  right.wire.sendAwareness(HANDLE, stamped(left, null))
  right.wire.break()
  expect(awareness.getStates().has(left.doc.clientID)).toBe(true)
  left.provider.awareness.setLocalStateField('name', 'Ada Lovelace')
  tabs.deliver()
  expect(changes.at(-1)).toEqual({ name: 'Ada Lovelace' })
  expect(changes).not.toContain(undefined)
})

test('[TAB10] disableBc, connectBc and disconnectBc', () => {
  const { tabs, left, right } = twoTabs({}, { disableBc: true })
  expect([left.provider.bcconnected, right.provider.bcconnected]).toEqual([true, false])
  right.provider.connectBc()
  expect(tabs.size).toBe(1)
  left.provider.disconnectBc()
  left.provider.disconnectBc()
  left.type('a')
  expect([tabs.size, left.provider.bcconnected]).toEqual([0, false])
  left.provider.connectBc()
  expect(left.provider.bcconnected).toBe(true)
  left.provider.destroy()
  left.provider.connectBc()
  expect(tabs.size).toBe(0)
})

test('T65 [TAB10] a provider that is destroyed leaves no channel and no timer', () => {
  const { tabs, left, right } = twoTabs()
  for (const { provider, clock } of [left, right]) {
    provider.destroy()
    clock.endTurn()
    expect(clock.timers).toBe(0)
  }
  expect(tabs.size).toBe(0)
})

test('[TAB10] what no tab says is not read', () => {
  const { tabs, left } = twoTabs()
  const standing = { epoch: null, uploads: false, hasUnsaved: false, storage: null, isStored: true }
  const header = { version: 1, from: 'x', ...standing }
  for (const message of [
    null,
    'hello',
    { ...header, version: 2, body: { type: 'ping' } },
    { ...header, body: { type: 'unknown' } },
    { ...header, body: { type: 'edit', update: 'text' } },
    { ...header, from: 7, body: { type: 'ping' } },
    { ...header, storage: 7, body: { type: 'ping' } },
    { ...header, body: { type: 'ask', to: 'y', stateVector: null } },
  ])
    tabs.inject(message)
  expect(tabs.deliver()).toBe(0)
  tabs.inject({ ...header, body: { type: 'edit', update: new Uint8Array([255, 255]) } })
  expect(left.events).toContain('error:apply-failed')
})

/** How a server tells of a tab's presence, at the same clock as the tab did. */
function stamped({ provider }: Scene, state: Record<string, unknown> | null): Uint8Array {
  const { clientID, meta } = provider.awareness
  const doc = new Y.Doc()
  const copy = new Awareness(doc)
  copy.clientID = clientID
  copy.setLocalState(state)
  const clock = meta.get(clientID)?.clock ?? 0
  copy.meta.set(clientID, { clock: state === null ? clock + 1 : clock, lastUpdated: 0 })
  const update = encodeAwarenessUpdate(copy, [clientID])
  doc.destroy()
  return update
}
