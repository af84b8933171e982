// L: a large document is folded, joined and read, while somebody types into another one.
import { makeDocument } from '../documents.mjs'
import { openNeighbours } from '../load/neighbours.mjs'
import { clientIdOf, clientOf, joinFully, settle, sleep } from '../load/session.mjs'
import * as Y from 'yjs'

export const title = 'L  Large documents: what their neighbours notice'
export const servers = ['y-rooms', 'hocuspocus']
export const options = {
  bytes: { type: 'string', default: '10000000', note: 'of the document, about' },
  history: { type: 'string', default: 'short', note: 'or long: of many edits' },
  joiners: { type: 'string', default: '100', note: 'at once' },
}
export const smoke = { bytes: '300000', joiners: '5' }

const NAME = 'large'
const TYPE_EVERY_MS = 50
const QUIET_MS = 3000

export async function run({ server: first, start, name, values }) {
  const bytes = Y.encodeStateAsUpdate(makeDocument(Number(values.bytes), values.history))
  const Client = await clientOf(name)
  const owner = new Client(first.port, NAME, clientIdOf(0))
  await owner.join()
  await owner.sendLarge(bytes)
  await joinFully(first, name, NAME, bytes.length, 1)
  await settle(first)
  await first.close()

  const server = await start()
  const neighbours = await openNeighbours(server, name, TYPE_EVERY_MS)
  const phase = (work) => neighbours.during(work)
  const quiet = await phase(() => sleep(QUIET_MS))
  let isWhole = true
  const times = []
  const joined = await phase(async () => {
    const all = await Promise.all(
      Array.from({ length: Number(values.joiners) }, (_, index) =>
        joinFully(server, name, NAME, bytes.length, 100 + index),
      ),
    )
    for (const { client, parts, ms } of all) {
      client.close()
      times.push(ms)
      isWhole &&= parts.reduce((sum, part) => sum + part.length, 0) > bytes.length * 0.9
    }
  })
  // Only y-rooms has these: another server's answer is missing in the table.
  const folded = name === 'y-rooms' ? await phase(() => server.ask('compact', NAME)) : undefined
  const read = name === 'y-rooms' ? await phase(() => readAsJson(server)) : undefined
  const isTextRight = isWhole && (await neighbours.end())
  times.sort((a, b) => a - b)
  return {
    quiet,
    joined,
    folded,
    read,
    joinP99Ms: times[Math.floor(times.length * 0.99)],
    joinsPerSecond: times.length / joined.seconds,
    peakMb: joined.peakBytes / 1e6,
    stolenShare: Math.max(quiet.stolenShare, joined.stolenShare),
    driverShare: joined.driverShare,
    isTextRight,
  }
}

async function readAsJson(server) {
  const response = await fetch(`http://127.0.0.1:${server.port}/api/documents/${NAME}`, {
    headers: { accept: 'application/json' },
  })
  await response.arrayBuffer()
  if (!response.ok) throw new Error(`reading as JSON: ${response.status}`)
}

const shown = (phase) =>
  phase === undefined ? '' : `${phase.shownP99Ms.toFixed(1)} · ${phase.shownMaxMs.toFixed(0)}`
const loop = (phase) =>
  phase === undefined ? '' : `${phase.loopP99Ms.toFixed(1)} · ${phase.loopMaxMs.toFixed(0)}`

export const columns = {
  'neighbour shown p99 · max ms, quiet': ({ quiet }) => shown(quiet),
  joined: ({ joined }) => shown(joined),
  folded: ({ folded }) => shown(folded),
  'read as JSON': ({ read }) => shown(read),
  'loop p99 · max ms, joined': ({ joined }) => loop(joined),
  'loop, folded': ({ folded }) => loop(folded),
  'loop, read': ({ read }) => loop(read),
  'join p99 ms': ({ joinP99Ms }) => joinP99Ms.toFixed(0),
  'joins/s': ({ joinsPerSecond }) => joinsPerSecond.toFixed(1),
  'peak MB': ({ peakMb }) => peakMb.toFixed(0),
}
export const ratios = { 'join p99': 'joinP99Ms' }
