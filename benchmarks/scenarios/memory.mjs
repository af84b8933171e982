// I: what idle connections and open documents cost, and whether it is given back.
import {
  ALL,
  atOnce,
  clientIdOf,
  clientOf,
  joinAll,
  joinFully,
  memoryOf,
  nameAt,
  settle,
  sleep,
  textOf,
} from '../load/session.mjs'
import { traceDocument } from '../load/trace.mjs'
import { watchDisturbance } from '../load/disturbance.mjs'

export const title = 'I  Memory: idle connections, two per document; and open documents of 100 KB'
export const servers = ALL
export const options = {
  connections: { type: 'string', default: '5000', note: 'idle, on half as many documents' },
  documents: { type: 'string', default: '500', note: 'stored, then opened by one client each' },
  share: { type: 'string', default: '0.36', note: 'of the trace: 100 KB' },
  settle: { type: 'string', default: '60', note: 'seconds after all have left' },
}
export const smoke = { connections: '20', documents: '4', share: '0.02', settle: '0' }

const OPENING_AT_ONCE = 8

export async function run({ server: first, start, name, values }) {
  const disturbance = watchDisturbance()
  const driver = performance.eventLoopUtilization()
  const settleMs = Number(values.settle) * 1000
  const idle = await measureIdle(first, name, Number(values.connections), settleMs)
  // A relay keeps nothing that could be opened.
  const opened = name.endsWith('-relay')
    ? {}
    : await measureOpened({ first, start, name, values, settleMs })
  return {
    ...idle,
    ...opened,
    loopP99Ms: Math.max(idle.loopP99Ms, opened.loopP99Ms ?? 0),
    stolenShare: disturbance(),
    driverShare: performance.eventLoopUtilization(driver).utilization,
  }
}

async function measureIdle(server, name, connections, settleMs) {
  const opening = await measureOpening(server, connections, () =>
    joinAll(name, server.port, Math.ceil(connections / 2), connections),
  )
  const left = await measureLeaving(server, opening, settleMs)
  return {
    kbPerConnection: opening.kbPerOne,
    connectCpuMs: opening.cpuMs,
    loopP99Ms: opening.loopP99Ms,
    leftShare: left.asIs,
    leftCollectedShare: left.collected,
  }
}

async function measureOpened({ first, start, name, values, settleMs }) {
  const update = traceDocument(Number(values.share))
  const count = Number(values.documents)
  await store(first, name, update, count)

  const server = await start()
  const opening = await measureOpening(server, count, async () => {
    const joined = await atOnce(OPENING_AT_ONCE, count, (index) =>
      joinFully(server, name, nameOf(index), update.length, index),
    )
    return joined.map(({ client, parts }) => Object.assign(client, { parts }))
  })
  // As it was sent, in each: that all have its length was waited for.
  const text = textOf([update])
  const isTextRight = [0, count - 1].every((index) => textOf(opening.clients[index].parts) === text)
  const left = await measureLeaving(server, opening, settleMs)
  return {
    kbPerDocument: opening.kbPerOne,
    anonymousKbPerDocument: opening.anonymousKbPerOne,
    openCpuMs: opening.cpuMs,
    loopP99Ms: opening.loopP99Ms,
    documentsLeftShare: left.asIs,
    documentsLeftCollectedShare: left.collected,
    isTextRight,
  }
}

const nameOf = (index) => `paper-${nameAt(index)}`

/** Puts the documents into the server by its own wire, folded where it can, and ends it in order, so that all is on disk. */
async function store(server, name, update, count) {
  const Client = await clientOf(name)
  for (let index = 0; index < count; index++) {
    const client = new Client(server.port, nameOf(index), clientIdOf(index))
    await client.join()
    await client.sendLarge(update)
    const reader = await joinFully(server, name, nameOf(index), update.length, count + index)
    await server.ask('compact', nameOf(index))
    client.close()
    reader.client.close()
  }
  await settle(server)
  await server.close()
}

async function measureOpening(server, count, open) {
  const start = await memoryOf(server)
  const before = await server.ask('usage')
  await server.ask('delay')
  const clients = await open()
  await settle(server)
  const { p99Ms: loopP99Ms } = await server.ask('delay')
  const after = await server.ask('usage')
  const held = await memoryOf(server)
  const kbPerOne = (kind) => (held[kind] - start[kind]) / count / 1e3
  return {
    clients,
    startBytes: start.residentBytes,
    loopP99Ms,
    cpuMs: after.cpuMs - before.cpuMs,
    kbPerOne: kbPerOne('residentBytes'),
    anonymousKbPerOne: kbPerOne('anonymousBytes'),
  }
}

/** What is resident after everybody has left, as a share of what was before they came: as it is, and without garbage. */
async function measureLeaving(server, { clients, startBytes }, settleMs) {
  for (const client of clients) client.close()
  await sleep(settleMs)
  await settle(server)
  const { residentBytes } = await server.ask('usage')
  const collected = await memoryOf(server)
  return { asIs: residentBytes / startBytes, collected: collected.residentBytes / startBytes }
}

const show = (value, digits, factor = 1) =>
  value === undefined ? '–' : (value * factor).toFixed(digits)

export const columns = {
  'KB per connection': ({ kbPerConnection }) => show(kbPerConnection, 1),
  'cpu s to connect': ({ connectCpuMs }) => show(connectCpuMs, 2, 1e-3),
  'left, % of start': ({ leftShare }) => show(leftShare, 0, 100),
  '… collected': ({ leftCollectedShare }) => show(leftCollectedShare, 0, 100),
  'KB per document': ({ kbPerDocument }) => show(kbPerDocument, 0),
  '… anonymous': ({ anonymousKbPerDocument }) => show(anonymousKbPerDocument, 0),
  'cpu s to open': ({ openCpuMs }) => show(openCpuMs, 2, 1e-3),
  'left, %': ({ documentsLeftShare }) => show(documentsLeftShare, 0, 100),
  'collected, %': ({ documentsLeftCollectedShare }) => show(documentsLeftCollectedShare, 0, 100),
  'loop p99 ms, while they come': ({ loopP99Ms }) => loopP99Ms.toFixed(0),
}
export const ratios = {
  'KB per connection': 'kbPerConnection',
  'cpu to connect': 'connectCpuMs',
  'KB per document': 'kbPerDocument',
  'cpu to open': 'openCpuMs',
}
