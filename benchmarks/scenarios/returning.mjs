// R: everybody comes back after a restart, with a cursor: that costs what is new, not the document.
import {
  PERSISTING,
  atOnce,
  clientIdOf,
  clientOf,
  joinFully,
  measureCost,
  settle,
} from '../load/session.mjs'
import { traceDocument } from '../load/trace.mjs'

export const title = 'R  Coming back: a paper of 245 KB, its readers return after a restart'
export const servers = PERSISTING.slice(0, 1)
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
  await first.ask('compact', NAME)
  writer.close()
  await settle(first)
  await first.close()

  let server = await start()
  const { client: reader, parts } = await joinFully(server, name, NAME, update.length, 1)
  const cursor = { epoch: reader.epoch, seq: reader.seq }
  const isWhole = bytesOf(parts) > update.length * 0.9
  reader.close()
  const full = await enterAll(server, Client, count, {})
  await server.close()

  server = await start()
  const back = await enterAll(server, Client, count, cursor)
  const isNothingSent = back.bytes === 0 && full.bytes > count * update.length * 0.9
  await server.close()
  return {
    connectCpuMs: full.connectCpuMs,
    fullCpuMs: full.cpuMs,
    fullMs: full.ms,
    backCpuMs: back.cpuMs,
    backMs: back.ms,
    loopP99Ms: back.loopP99Ms,
    stolenShare: Math.max(full.stolenShare, back.stolenShare),
    driverShare: back.driverShare,
    isTextRight: isWhole && isNothingSent,
  }
}

/** The connections first, then all joins at once: what a connection costs has nothing to do with the document. */
async function enterAll(server, Client, count, cursor) {
  const clients = []
  const connecting = await measureCost(server, [], () =>
    atOnce(CONNECTING_AT_ONCE, count, async (index) => {
      const client = new Client(server.port, NAME, clientIdOf(100 + index))
      clients.push(client)
      await client.connect()
    }),
  )
  await settle(server)
  let bytes = 0
  const cost = await measureCost(server, [], async () => {
    await Promise.all(
      clients.map(async (client) => {
        const parts = await client.enter(cursor)
        bytes += bytesOf(parts)
      }),
    )
  })
  for (const client of clients) client.close()
  await settle(server)
  return { ...cost, connectCpuMs: connecting.cpuMs, ms: cost.seconds * 1000, bytes }
}

const bytesOf = (parts) => parts.reduce((sum, part) => sum + part.length, 0)

export const columns = {
  'connecting: cpu ms': ({ connectCpuMs }) => connectCpuMs.toFixed(0),
  'whole document: cpu ms': ({ fullCpuMs }) => fullCpuMs.toFixed(0),
  'last one ms': ({ fullMs }) => fullMs.toFixed(0),
  'with a cursor: cpu ms': ({ backCpuMs }) => backCpuMs.toFixed(0),
  'last of these ms': ({ backMs }) => backMs.toFixed(0),
  'loop p99 ms': ({ loopP99Ms }) => loopP99Ms.toFixed(0),
}
export const ratios = {}
