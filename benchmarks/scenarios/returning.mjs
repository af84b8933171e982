// R: everybody comes back after a restart, with what they had: that costs what is new, not the document.
import * as Y from 'yjs'
import { atOnce, clientIdOf, clientOf, joinFully, measureCost, settle } from '../load/session.mjs'
import { traceDocument } from '../load/trace.mjs'

export const title = 'R  Coming back: a paper of 245 KB, its readers return after a restart'
export const servers = ['y-rooms', 'hocuspocus', 'y-websocket']
export const options = {
  clients: { type: 'string', default: '1000', note: 'that come back together' },
}
export const smoke = { clients: '10' }

const NAME = 'paper'
const CONNECTING_AT_ONCE = 20

export async function run({ server: first, start, name, values }) {
  const count = Number(values.clients)
  const update = traceDocument()
  const Client = await clientOf(name)
  const writer = new Client(first.port, NAME, clientIdOf(0))
  await writer.join()
  await writer.sendLarge(update)
  const { client: reader, parts } = await joinFully(first, name, NAME, update.length, 1)
  const isWhole = bytesOf(parts) > update.length * 0.9
  await first.ask('compact', NAME)
  writer.close()
  reader.close()
  await settle(first)
  await first.close()

  const whole = await comeIn(await start(), Client, count, {})
  const known = cursorOf(reader, update)
  const back = await comeIn(await start(), Client, count, known)
  // Yjs' answer to a state vector has all deletions in it; an answer to a cursor has nothing.
  const isNothingSent = name !== 'y-rooms' || back.bytes === 0
  return {
    connectCpuMs: whole.connectCpuMs,
    wholeCpuMs: whole.cpuMs,
    wholeMs: whole.ms,
    backCpuMs: back.cpuMs,
    backMs: back.ms,
    backBytes: back.bytes / count,
    backOfWhole: back.cpuMs / whole.cpuMs,
    /** Some servers do part of a join when the connection opens. */
    wholeAllCpuMs: whole.connectCpuMs + whole.cpuMs,
    backAllCpuMs: back.connectCpuMs + back.cpuMs,
    loopP99Ms: Math.max(whole.loopP99Ms, back.loopP99Ms),
    stolenShare: Math.max(whole.stolenShare, back.stolenShare),
    driverShare: Math.max(whole.driverShare, back.driverShare),
    isTextRight: isWhole && isNothingSent && whole.bytes > count * update.length * 0.9,
  }
}

/** What a client has kept says where it was: here a place in the log, at others a state vector. */
function cursorOf({ epoch, seq }, update) {
  if (epoch !== undefined) return { epoch, seq }
  return { stateVector: Y.encodeStateVectorFromUpdate(update) }
}

/** The connections first, then all joins at once: what a connection costs has nothing to do with the document. */
async function comeIn(server, Client, count, cursor) {
  const clients = []
  const connecting = await measureCost(server, [], () =>
    atOnce(CONNECTING_AT_ONCE, count, async (index) => {
      const client = new Client(server.port, NAME, clientIdOf(100 + index))
      clients.push(client)
      await client.connect()
    }),
  )
  await settle(server)
  const entered = []
  const cost = await measureCost(server, [], async () => {
    entered.push(...(await Promise.all(clients.map((client) => client.enter(cursor)))))
  })
  for (const client of clients) client.close()
  await settle(server)
  await server.close()
  return {
    ...cost,
    connectCpuMs: connecting.cpuMs,
    ms: cost.seconds * 1000,
    bytes: entered.reduce((sum, parts) => sum + bytesOf(parts), 0),
  }
}

const bytesOf = (parts) => parts.reduce((sum, part) => sum + part.length, 0)

export const columns = {
  'connecting: cpu ms': ({ connectCpuMs }) => connectCpuMs.toFixed(0),
  'whole document: cpu ms': ({ wholeCpuMs }) => wholeCpuMs.toFixed(0),
  'last one ms': ({ wholeMs }) => wholeMs.toFixed(0),
  'coming back: cpu ms': ({ backCpuMs }) => backCpuMs.toFixed(0),
  'last of these ms': ({ backMs }) => backMs.toFixed(0),
  'bytes to each': ({ backBytes }) => backBytes.toFixed(0),
  'back / whole': ({ backOfWhole }) => backOfWhole.toFixed(2),
  'loop p99 ms': ({ loopP99Ms }) => loopP99Ms.toFixed(0),
}
export const ratios = {
  'back / its whole': ['backCpuMs', 'wholeCpuMs'],
  'the same, both with connecting': ['backAllCpuMs', 'wholeAllCpuMs'],
  'back / its back, both with connecting': 'backAllCpuMs',
}
