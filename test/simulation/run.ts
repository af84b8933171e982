import * as Y from 'yjs'
import { missingFrom } from './books.ts'
import { uninstallBrowser } from './browser/globals.ts'
import type { Editor } from './editor.ts'
import { PING_MS } from './network.ts'
import { readStored, type Stored } from './stored.ts'
import type { Story } from './story.ts'
import { settled } from './timeline.ts'
import { World } from './world.ts'

export interface RunResult {
  /** What must never be. Empty: all is well. */
  readonly faults: readonly string[]
  readonly events: number
  /** The same for two runs of one story. */
  readonly trace: string
  readonly joins: number
  readonly saved: number
  readonly relayed: number
}

/** All must be at rest within this, once nothing disturbs any more. Back-off and ping timeouts are far below. */
const REST_MINUTES = 15
const LOOK_EVERY_MS = 1000
/** Whoever sees that a message is missing waits for it for two seconds, in sync and saved, and then reads the log. */
const NOTICE_MS = 3000
/** Longer than it takes until every client that is left in peace has compared its copy with the server's, and once more. */
const SELF_CHECK_MS = 240_000
/** Longer than a document stays in memory, and than anybody waits for an answer. */
const AFTERMATH_MS = 120_000

/** Plays a story to its end, and looks whether every promise was kept. */
export async function run(story: Story): Promise<RunResult> {
  const world = new World(story, inspectDisk)
  const handleRejection = (error: unknown): void =>
    world.fault(`a promise was rejected and nobody heard: ${String((error as Error).stack)}`)
  process.on('unhandledRejection', handleRejection)
  try {
    for (const action of story.actions) {
      if (world.faults.length > 0) break
      await world.pass(action.afterMs)
      await world.perform(action)
      replaceEnded(world)
    }
    if (world.faults.length === 0) await comeToRest(world)
    if (world.faults.length === 0) await leave(world)
  } catch (error) {
    world.fault(`the run threw: ${String((error as Error).stack)}`)
  } finally {
    process.off('unhandledRejection', handleRejection)
    world.clientLife.end()
    world.node?.kill()
    for (const editor of world.editors) editor.close()
    uninstallBrowser()
  }
  const { joins, saved, relayed } = world.books
  const { events, elapsedMs } = world.timeline
  const trace = `${events} events in ${elapsedMs} ms, ${joins} joins, ${saved} saved, ${relayed} relayed`
  return { faults: world.faults, events, trace, joins, saved, relayed }
}

/** Everything owed is on the disk, and no deleted history has come back. */
async function inspectDisk(world: World): Promise<void> {
  let stored: ReadonlyMap<string, Stored>
  try {
    stored = await readStored(world.disk, world.names)
  } catch (error) {
    world.fault(`the disk cannot be read: ${String((error as Error).stack)}`)
    return
  }
  for (const [name, { epoch, doc }] of stored) {
    if (world.deleted.has(`${epoch} ${name}`)) world.fault(`${name} was deleted, and is back`)
    if (doc.store.pendingStructs !== null || doc.store.pendingDs !== null)
      world.fault(`${name} has a hole on the disk`)
    for (const author of world.mayForgetHistory ? [] : (world.authorsOfDeleted.get(name) ?? []))
      if (doc.store.clients.has(author) && !world.unboundAuthors.has(author))
        world.fault(`${name} was deleted, and the edits of ${author} are back`)
  }
  for (const { name, epoch, owed } of world.books.accounts()) {
    const { epoch: storedEpoch, doc } = stored.get(name) as Stored
    if (epoch !== storedEpoch) {
      if (!world.endings.has(name)) world.fault(`the history of ${name} is another than before`)
      world.books.forget(name, epoch)
      continue
    }
    const missing = missingFrom(doc, owed)
    if (missing !== null) world.fault(`${name} lacks what was acknowledged or seen: ${missing}`)
  }
  for (const { doc } of stored.values()) doc.destroy()
}

async function comeToRest(world: World): Promise<void> {
  const { network } = world.story
  const wasLossy = network.loss + network.doubling + network.overtaking > 0
  world.calmDown()
  // Whether a lost message is noticed by the next one, or by coming back: both must do.
  const isNudged = wasLossy && world.random.chance(0.5)
  if (wasLossy && !isNudged) for (const client of world.clients) client.cut()
  for (const editor of world.editors) editor.provider.connect()
  // Until then somebody may still believe in a connection that has broken.
  await world.pass(PING_MS)
  if (isNudged) {
    for (const name of world.names) nudge(world, name)
    await world.pass(NOTICE_MS)
  }
  // A tab that died may have been trusted to upload; a number in the log may stand for two entries now: only the self-check of a client finds a deletion behind it.
  if (world.wasRestored || world.mayTrustTheDead) await world.pass(SELF_CHECK_MS)
  for (let ms = 0; ms < REST_MINUTES * 60_000 && world.faults.length === 0; ms += LOOK_EVERY_MS) {
    await world.pass(LOOK_EVERY_MS)
    replaceEnded(world)
    if (whyRestless(world, wasLossy) === null) break
  }
  const reason = whyRestless(world, wasLossy)
  if (reason !== null) world.fault(`no rest: ${reason}`)
  if (world.faults.length > 0) return
  await forgetMarks(world, wasLossy)
  await world.restart()
  const stored = await readStored(world.disk, world.names)
  for (const [name, { doc }] of stored) {
    if (world.endings.has(name)) continue
    const missing = missingFrom(doc, world.books.promisedOf(name))
    if (missing !== null) world.fault(`${name} lacks what a device had called its own: ${missing}`)
  }
  for (const editor of world.editors) {
    const { doc } = stored.get(editor.document) as Stored
    const difference = differenceBetween(editor.doc, doc, world)
    if (difference !== null)
      world.fault(`${editor.describe()}: on the disk are other ${difference}`)
  }
  for (const { doc } of stored.values()) doc.destroy()
}

/** What a page left behind is marked as unconfirmed until the document is opened again: then the marks must go. */
async function forgetMarks(world: World, wasLossy: boolean): Promise<void> {
  const isMarked = (): boolean =>
    world.devices.some(({ pendingDatabases }) => pendingDatabases.length > 0)
  if (!isMarked()) return
  for (const index of world.editors.keys()) world.replace(index)
  const isOver = (): boolean => !isMarked() && whyRestless(world, wasLossy) === null
  for (let ms = 0; ms < REST_MINUTES * 60_000 && !isOver(); ms += LOOK_EVERY_MS) {
    await world.pass(LOOK_EVERY_MS)
    replaceEnded(world)
  }
  for (const name of world.devices.flatMap(({ pendingDatabases }) => pendingDatabases))
    world.fault(`a device still takes changes of ${name} for unconfirmed`)
}

/** One more edit: whoever missed one before it sees the hole now. */
function nudge(world: World, name: string): void {
  const editor = world.editors.find(
    ({ document, ended, isReader }) => document === name && ended === null && !isReader,
  )
  editor?.doc.getText('nudge').insert(0, '!')
}

/** A document that was deleted or replaced ends its editors; a person would open it anew. */
function replaceEnded(world: World): void {
  world.editors.forEach(({ ended, document }, index) => {
    if (ended === null) return
    const isLegal = ended.code === 'document-deleted' || ended.code === 'document-reset'
    if (!isLegal || !world.endings.has(document))
      world.fault(`${document} was ended for an editor: ${ended.code} ${ended.message}`)
    world.replaceEnded(index)
  })
}

function whyRestless(world: World, wasLossy: boolean): string | null {
  for (const editor of world.editors) if (!editor.isAtRest) return editor.describe()
  for (const name of world.names) {
    const [first, ...others] = world.editors.filter(({ document }) => document === name)
    for (const other of others) {
      const difference = differenceBetween((first as Editor).doc, other.doc, world)
      if (difference !== null) return `two editors of ${name} have different ${difference}`
    }
  }
  // Nobody notices a lost message of presence; its ghosts go after the 30 s of y-protocols, which runs on real time.
  return wasLossy ? null : presenceFault(world)
}

/** Everybody sees everybody as they are, and nobody else. */
function presenceFault(world: World): string | null {
  for (const name of world.names) {
    const editors = world.editors.filter(({ document }) => document === name)
    const expected = new Map(
      editors.map(({ provider }) => [
        provider.awareness.clientID,
        JSON.stringify(provider.awareness.getLocalState()),
      ]),
    )
    for (const editor of editors) {
      const states = editor.provider.awareness.getStates()
      const isEqual =
        states.size === expected.size &&
        [...states].every(([client, state]) => expected.get(client) === JSON.stringify(state))
      if (!isEqual)
        return `${editor.describe()} sees ${[...states.keys()].join(' ')} of ${[...expected.keys()].join(' ')}`
    }
  }
  return null
}

/** By state vector, delete set and content. [T17] */
function differenceBetween(one: Y.Doc, other: Y.Doc, { devices }: World): string | null {
  // A page may have died between two edits: whoever heard only the second keeps it waiting for the first, which nobody has.
  const mayWait = devices.length > 0
  for (const { store } of mayWait ? [] : [one, other])
    if (store.pendingStructs !== null || store.pendingDs !== null) return 'pending structs'
  const [left, right] = [Y.snapshot(one), Y.snapshot(other)]
  if (!Y.equalSnapshots(left, right)) return 'state vectors or delete sets'
  for (const root of ['typed', 't', 'pasted', 'nudge'])
    if (textOf(one, root) !== textOf(other, root)) return `texts ${root}`
  if (xmlOf(one) !== xmlOf(other)) return 'XML'
  if (contentOf(one) !== contentOf(other)) return 'maps or arrays'
  return null
}

/**
 * Without characters beyond the 16-bit plane: Yjs replaces both halves of a pair by U+FFFD where an item is split between them,
 * and only some replicas have to split it. Editors do not put a cursor there; our random ones do.
 */
function textOf(doc: Y.Doc, root: string): string {
  const delta = doc.getText(root).toDelta() as { insert: unknown; attributes?: object }[]
  return JSON.stringify(
    delta
      .map(({ insert, attributes }) => ({
        insert: typeof insert === 'string' ? insert.replace(HALVES, '') : insert,
        attributes,
      }))
      .filter(({ insert }) => insert !== ''),
  )
}

function xmlOf(doc: Y.Doc): string {
  return doc.getXmlFragment('x').toString().replace(HALVES, '')
}

const HALVES = /[\ud800-\udfff\ufffd]/g

function contentOf(doc: Y.Doc): string {
  const content = [doc.getMap('m').toJSON(), doc.getArray('a').toJSON()]
  return JSON.stringify(content, (_key, value: unknown) => {
    if (typeof value === 'string') return value.replace(HALVES, '')
    if (typeof value === 'bigint') return `${value}n`
    // Keys of a Y.Map come in the order in which they arrived.
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value instanceof Y.Doc
        ? value.guid
        : Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    return value
  })
}

/** Everybody leaves: nothing may stay behind. */
async function leave(world: World): Promise<void> {
  for (let ms = 0; ms < 60_000 && world.editors.some(({ isAtRest }) => !isAtRest); ms += 500)
    await world.pass(500)
  for (const editor of world.editors) editor.close()
  // A connection ends with the turn in which nobody needs it any more; what a page has begun to store is stored first.
  await settled()
  if (world.devices.length > 0) await world.pass(AFTERMATH_MS)
  if (world.clientTimers > 0) world.fault('a closed editor left a timer')
  for (const held of world.devices.flatMap(({ holdings }) => holdings))
    world.fault(`closed editors left a ${held}`)
  await world.pass(AFTERMATH_MS)
  const links = world.clients.reduce((sum, { openLinks }) => sum + openLinks, 0)
  if (links > 0) world.fault(`closed editors left ${links} connections`)
  const { node } = world
  if (node === null) return
  const { connections, openDocuments } = node.server.holdings
  if (connections + openDocuments > 0)
    world.fault(
      `all have left; still there: ${connections} connections, ${openDocuments} documents`,
    )
  await world.finish(node.server.close(), 'the server did not close', node)
  const timers = world.timeline.timersOf(node.life)
  if (timers > 0) world.fault(`the closed server left ${timers} timers`)
  await inspectDisk(world)
}
