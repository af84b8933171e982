import * as Y from 'yjs'
import { watchDisturbance } from './disturbance.mjs'

/** Those that keep documents, and the limits: transports that keep nothing. */
export const PERSISTING = ['y-rooms', 'hocuspocus', 'y-websocket', 'y-socket-io']
export const ALL = [...PERSISTING, 'ws-relay', 'socket-io-relay']

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

const classes = new Map()

export async function clientOf(server) {
  let Client = classes.get(server)
  if (Client === undefined) {
    Client = (await import(`../clients/${server}.mjs`)).RawClient
    classes.set(server, Client)
  }
  return Client
}

/** As long as Yjs's own: 32 bits. The same in every run. */
export const clientIdOf = (index) => 2 ** 31 + index * 7919

/** At most this many connections are being made at a time. */
const CONNECTING_AT_ONCE = 20

const SLOWEST_TICK_MS = 5

/** So many clients, joined: all to the document of that name, or in turns to so many documents. */
export async function joinAll(server, port, documents, count, make = (client) => client) {
  const Client = await clientOf(server)
  const nameOf = typeof documents === 'string' ? () => documents : (i) => nameAt(i % documents)
  const join = async (index) => {
    const client = new Client(port, nameOf(index), clientIdOf(index))
    client.clientId = clientIdOf(index)
    client.onLost = () => console.error(`${server}: client ${index} lost its connection`)
    await client.join()
    return make(client, index)
  }
  // The first of each document before the others: y-socket.io makes a document for each of those that come to a new one at once.
  const firsts = typeof documents === 'string' ? 1 : Math.min(documents, count)
  const joined = await atOnce(CONNECTING_AT_ONCE, firsts, join)
  const others = (index) => join(firsts + index)
  return [...joined, ...(await atOnce(CONNECTING_AT_ONCE, count - firsts, others))]
}

/** The name of one of many documents. */
export const nameAt = (index) => `document-${index}`

/** Every editor acts when its time has come. Timers of Node are late by a millisecond or more; no turn is left out. */
export async function act(editors, everyMs, untilMs, turn) {
  for (;;) {
    const now = performance.now()
    if (now >= untilMs) return
    for (const editor of editors)
      for (; editor.nextAt <= now; editor.nextAt += everyMs) turn(editor, performance.now())
    await sleep(SLOWEST_TICK_MS)
  }
}

/** Does `work` for each index below `count`, so many at a time, and gives its results in their order. */
export async function atOnce(limit, count, work) {
  const results = Array.from({ length: count })
  let next = 0
  const worker = async () => {
    while (next < count) {
      const index = next++
      results[index] = await work(index)
    }
  }
  await Promise.all(Array.from({ length: limit }, worker))
  return results
}

/**
 * One newcomer until it has the content, of about so many bytes: y-websocket first answers with an empty document and calls
 * it complete, and sends the content as an update later.
 */
export async function joinFully(server, name, document, bytes, index) {
  const Client = await clientOf(name)
  const client = new Client(server.port, document, clientIdOf(index))
  const startedAt = performance.now()
  const parts = []
  const isComplete = () => parts.reduce((sum, part) => sum + part.length, 0) > bytes * 0.9
  const complete = new Promise((resolve, reject) => {
    client.onUpdate = (update) => {
      parts.push(update)
      if (isComplete()) resolve()
    }
    client.onLost = () => reject(new Error(`${name} ended the connection of a joiner`))
  })
  complete.catch(() => undefined)
  parts.push(...(await client.join()))
  if (!isComplete()) await complete
  return { client, parts, ms: performance.now() - startedAt }
}

/** Spreads the beginnings evenly over one interval. */
export function rampUp(editors, everyMs) {
  const startAt = performance.now()
  for (const [index, editor] of editors.entries())
    editor.nextAt = startAt + (index / editors.length) * everyMs
  return { startAt }
}

/** What the server has used while the work went on, and what of it the clients received. */
export async function measureCost(server, editors, work) {
  const bytes = () => editors.reduce((sum, { client }) => sum + client.bytesReceived(), 0)
  await server.ask('delay')
  const before = { ...(await server.ask('usage')), bytes: bytes(), at: performance.now() }
  const driver = performance.eventLoopUtilization()
  const disturbance = watchDisturbance()
  await work()
  const after = { ...(await server.ask('usage')), bytes: bytes(), at: performance.now() }
  const seconds = (after.at - before.at) / 1000
  const { p99Ms, maxMs } = await server.ask('delay')
  return {
    seconds,
    cpuMs: after.cpuMs - before.cpuMs,
    cpuShare: (after.cpuMs - before.cpuMs) / (seconds * 1000),
    bytesPerSecond: (after.bytes - before.bytes) / seconds,
    peakBytes: after.peakBytes,
    loopP99Ms: p99Ms,
    loopMaxMs: maxMs,
    stolenShare: disturbance(),
    driverShare: performance.eventLoopUtilization(driver).utilization,
  }
}

/** Waits until the server has nothing left to do: what it does after the work belongs to the work's cost, not to the next one's. */
export async function settle(server) {
  for (let before = await server.ask('usage'); ;) {
    await sleep(300)
    const now = await server.ask('usage')
    if (now.cpuMs - before.cpuMs < 15) return
    before = now
  }
}

/** What the server holds, without what it could drop. LevelDB maps its tables: those are resident, but not its own. */
export async function memoryOf(server) {
  await server.ask('collectGarbage')
  const { residentBytes, anonymousBytes } = await server.ask('usage')
  return { residentBytes, anonymousBytes }
}

/** Whether a newcomer gets exactly what was typed. Delivering garbage fast is no result. */
export async function verifyText(server, port, document, typists) {
  if (server.endsWith('-relay')) return true
  const expected = new Y.Doc()
  for (const { clientId, clock } of typists) {
    const again = new typists[0].constructor(clientId)
    expected.transact(() => {
      while (again.clock < clock) Y.applyUpdate(expected, again.type())
    })
  }
  const updates = []
  const Client = await clientOf(server)
  const client = new Client(port, document, 1)
  client.onUpdate = (update) => updates.push(update)
  const state = await client.join()
  client.close()
  return textOf([...state, ...updates]) === expected.getText('body').toString()
}

/** The text that so many updates make. */
export function textOf(updates) {
  const doc = new Y.Doc()
  doc.transact(() => {
    for (const update of updates) Y.applyUpdate(doc, new Uint8Array(update))
  })
  return doc.getText('body').toString()
}
