import { afterEach, beforeEach, expect, test } from 'vitest'
import { SocketIOProvider, socketIONetwork, systemClock, type Clock } from 'y-rooms/client'
import * as Y from 'yjs'
import { ScriptedTabs } from '../client/scripted-tabs.ts'
import { startProxy, type CuttableProxy } from '../support/cuttable-proxy.ts'
import { RawClient, readDocument } from '../support/raw-client.ts'
import { startServer, type RunningServer } from '../support/running-server.ts'
import { tempDirectory } from '../support/temp-directory.ts'

let server: RunningServer
let tabs: ScriptedTabs
const ends: (() => unknown)[] = []

beforeEach(async () => {
  server = await startServer(await tempDirectory())
  tabs = new ScriptedTabs()
})

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
  await server.close()
})

/** How often a tab says that it is there. */
const TAB_PING_MS = 15_000

/** What takes 45 seconds (the silence of a tab) takes two; what waits for the server waits as long as ever. */
const fastClock: Clock = {
  ...systemClock,
  setTimer: (delayMs, callback) =>
    systemClock.setTimer(delayMs === TAB_PING_MS ? delayMs / 20 : delayMs, callback),
}

interface Tab {
  readonly provider: SocketIOProvider
  readonly line: CuttableProxy
  readonly errors: string[]
  /** The browser kills it: it says nothing any more. */
  crash(): void
}

/** A tab of one browser, on a line of its own to one server. */
async function openTab(isOnline: boolean): Promise<Tab> {
  const line = await startProxy(Number(new URL(server.url).port))
  let isDead = false
  const network = socketIONetwork()
  const provider = new SocketIOProvider('http://rooms.test', 'draft', new Y.Doc(), {
    connect: isOnline,
    shared: false,
    maxBackoffTime: 100,
    clock: fastClock,
    network: (target, listener) => network({ ...target, url: line.url }, listener),
    tabs: (name, handleMessage) => {
      const port = tabs.open(name, (message) => {
        if (!isDead) handleMessage(message)
      })
      return { ...port, post: (message) => (isDead ? undefined : port.post(message)) }
    },
  })
  const errors: string[] = []
  provider.on('error', ({ code }) => errors.push(code))
  provider.connectBc()
  ends.push(
    () => line.close(),
    () => provider.destroy(),
  )
  if (isOnline) await provider.whenSynced
  tabs.deliver()
  const crash = (): void => {
    isDead = true
    line.cut()
  }
  return { provider, line, errors, crash }
}

const textOf = (doc: Y.Doc): string => doc.getText('body').toJSON()

/** The messages of the tabs arrive while we wait. */
async function poll(read: () => unknown, expected: unknown): Promise<void> {
  await expect
    .poll(() => {
      tabs.deliver()
      return read()
    })
    .toEqual(expected)
}

const EDITS = {
  'an insertion': (doc: Y.Doc) => doc.getText('body').insert(5, ' there'),
  'a deletion': (doc: Y.Doc) => doc.getText('body').delete(0, 1),
  'a replacement': (doc: Y.Doc) => {
    doc.getText('body').delete(0, 5)
    doc.getText('body').insert(0, 'howdy')
  },
} as const

for (const [kind, edit] of Object.entries(EDITS))
  for (const end of ['closes', 'crashes'] as const)
    for (const wasOnline of [true, false])
      test(`T13 T63 [TAB3] [TAB4] ${kind} of a tab that ${end}, ${wasOnline ? 'on its way' : 'offline'}, arrives with what another tab built on it`, async () => {
        const seeder = await openTab(true)
        seeder.provider.doc.getText('body').insert(0, 'hello')
        await seeder.provider.whenSaved()
        const [left, right] = [await openTab(true), await openTab(true)]
        seeder.provider.destroy()
        tabs.deliver()
        if (!wasOnline) {
          left.provider.disconnect()
          left.provider.connectBc()
        }
        right.provider.disconnect()
        right.provider.connectBc()
        tabs.deliver()
        left.line.swallow()
        edit(left.provider.doc)
        tabs.deliver()
        right.provider.doc.getText('body').insert(3, '!')
        const expected = textOf(right.provider.doc)
        tabs.deliver()
        await expect.poll(() => left.provider.unsyncedChanges).toBeGreaterThan(0)
        if (end === 'crashes') left.crash()
        else left.provider.destroy()
        tabs.deliver()
        right.provider.connect()
        await right.provider.whenSynced
        await poll(() => right.provider.saveState, 'saved')
        await poll(async () => textOf(await readDocument(server.url, 'draft')), expected)
        expect(right.errors.filter((code) => code === 'missing-dependencies')).toEqual([])
      })

test('T13 T63 [TAB3] an edit on top of one that is still on its way from another tab: asked once to compare, then whole', async () => {
  const [left, right] = [await openTab(true), await openTab(true)]
  left.line.swallow()
  left.provider.doc.getText('body').insert(0, 'hello')
  tabs.deliver()
  right.provider.doc.getText('body').insert(5, ' there')
  await poll(() => right.provider.saveState, 'saved')
  expect(textOf(await readDocument(server.url, 'draft'))).toBe('hello there')
  expect(right.errors).toEqual(['missing-dependencies'])
  left.line.cut()
  left.line.restore()
  await poll(() => left.provider.saveState, 'saved')
  expect(textOf(left.provider.doc)).toBe('hello there')
  const reader = await RawClient.connect(server.url)
  const log = await reader.join('draft', { clientId: 1 })
  reader.close()
  const clocks = [...Y.decodeStateVector(log.stateVector).values()]
  expect(clocks.reduce((sum, clock) => sum + clock, 0)).toBe('hello there'.length)
})
