import { expect, test, vi } from 'vitest'
import * as Y from 'yjs'
import { HANDLE, joined, OtherEditor } from './scripted-network.ts'
import { scene, type Scene } from './scene.ts'

const EVENTS = [
  'status',
  'sync',
  'synced',
  'save-state',
  'unsyncedChanges',
  'authenticated',
  'scope',
  'update',
  'progress',
  'connection-close',
  'connection-error',
  'closed',
  'error',
  'rejected',
  'local-changes',
  'connection-status',
  'connect',
  'disconnect',
] as const

type Acts = Readonly<Record<string, (scene: Scene) => void>>

const ACTIONS: Acts = {
  destroys: ({ provider }) => provider.destroy(),
  disconnects: ({ provider }) => provider.disconnect(),
  'disconnects and connects': ({ provider }) => {
    provider.disconnect()
    provider.connect()
  },
  'joins again': ({ provider }) => provider.forceSync(),
  edits: ({ type }) => type('!'),
}

/** A minute in which a server that has `other` answers all that is asked. */
function serve({ network, clock }: Scene, other: OtherEditor): void {
  for (let second = 0; second < 60; second++) {
    const { wire } = network
    if (wire.state === 'opening') wire.open()
    clock.endTurn()
    for (const { name } of [...wire.requests])
      if (name === 'join') answerJoin(wire, other)
      else if (name === 'update') answerUpdate(wire, other)
      else if (name === 'pull') answerPull(wire, other)
    clock.advance(1000)
  }
}

function answerJoin(wire: Scene['wire'], other: OtherEditor): void {
  const seq = other.log.length
  const updates = [Y.encodeStateAsUpdate(other.doc)]
  wire.take('join').answer(joined({ seq, head: seq, updates, stateVector: other.stateVector }))
}

function answerUpdate(wire: Scene['wire'], other: OtherEditor): void {
  const request = wire.take('update')
  const before = other.log.length
  Y.applyUpdate(other.doc, request.args[1] as Uint8Array)
  const seq = other.log.length
  request.answer({ ok: true, seq, entry: seq > before })
}

function answerPull(wire: Scene['wire'], other: OtherEditor): void {
  const request = wire.take('pull')
  const { after } = request.args[1] as { after: number }
  request.answer({ ok: true, seq: other.log.length, updates: other.log.slice(after) })
}

for (const event of EVENTS)
  for (const [action, act] of Object.entries(ACTIONS))
    test(`T64 T65 [SYNC9] whoever ${action} at '${event}'`, () => {
      const here = scene()
      const { provider, doc, clock, network } = here
      const other = new OtherEditor()
      let acts = 0
      provider.on(event as 'sync', () => {
        if (acts++ < 3) act(here)
      })
      const wire = (): Scene['wire'] => network.wire
      const step = (run: () => void): void => {
        if (wire().state === 'open') run()
      }
      here.type('a')
      wire().fail('connection-failed')
      serve(here, other)
      const entry = other.type('b')
      step(() => wire().relay(HANDLE, other.log.length, other.log.length, entry))
      serve(here, other)
      here.type('c')
      serve(here, other)
      step(() => wire().sendAccess(HANDLE, 'read'))
      step(() => wire().sendAccess(HANDLE, 'write'))
      serve(here, other)
      here.type('d')
      step(() => wire().break())
      serve(here, other)
      step(() => wire().sendClosed(HANDLE, 'server-closing'))
      serve(here, other)
      if (action === 'destroys' && acts > 0) {
        expect(clock.timers).toBe(0)
        expect(doc._observers.get('update')?.size ?? 0).toBe(0)
        for (const each of network.wires) expect(each.state).toBe('over')
        return
      }
      for (let visit = 0; visit < 4; visit++) {
        provider.connect()
        serve(here, other)
      }
      expect(provider.synced).toBe(true)
      expect(provider.saveState).toBe('saved')
      expect(Y.encodeStateVector(doc)).toEqual(other.stateVector)
    })

for (const event of [
  'status',
  'sync',
  'save-state',
  'authenticated',
  'scope',
  'unsyncedChanges',
] as const)
  test(`[SYNC9] a listener of '${event}' that throws keeps nothing from working, and is reported`, () => {
    const reported: unknown[] = []
    vi.stubGlobal('reportError', (error: unknown) => reported.push(error))
    const here = scene()
    const fault = new Error('a fault of the application')
    here.provider.on(event as 'sync', () => {
      throw fault
    })
    const later: unknown[] = []
    here.provider.on(event as 'sync', (value) => later.push(value))
    const other = new OtherEditor()
    here.type('a')
    serve(here, other)
    expect(other.doc.getText('body').toJSON()).toBe('a')
    expect([here.provider.synced, here.provider.saveState]).toEqual([true, 'saved'])
    expect(reported.length).toBe(later.length)
    expect(new Set(reported)).toEqual(new Set([fault]))
    here.provider.destroy()
    vi.unstubAllGlobals()
  })

test('[SYNC9] where there is no reportError, as in Node, it is an uncaught exception', async () => {
  const before = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  const uncaught = new Promise((resolve) => process.once('uncaughtException', resolve))
  const { provider } = scene()
  provider.on('status', () => {
    throw new Error('a fault of the application')
  })
  provider.disconnect()
  expect(await uncaught).toMatchObject({ message: 'a fault of the application' })
  for (const listener of before) process.on('uncaughtException', listener)
})
