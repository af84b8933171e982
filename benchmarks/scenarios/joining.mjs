// J: joining a document that is stored: alone, and many at once, cold and warm.
import * as Y from 'yjs'
import {
  PERSISTING,
  clientIdOf,
  clientOf,
  joinFully,
  measureCost,
  settle,
  textOf,
} from '../load/session.mjs'
import { traceDocument } from '../load/trace.mjs'

export const title = 'J  Joining: a paper of 260,000 keystrokes, 245 KB as one update'
export const servers = PERSISTING
export const options = {
  herd: { type: 'string', default: '300', note: 'joiners at once; a third of them too' },
  bytes: { type: 'string', default: '0', note: 'of another document, random text; 0 is the paper' },
}
export const smoke = { herd: '6' }

const NAME = 'paper'
const WARM_JOINS = 9

export async function run({ server: first, start, name, values }) {
  const herd = Number(values.herd)
  const update = documentOf(Number(values.bytes))
  await store(first, name, update)
  const expected = textOf([update])

  let server = await start()
  const cold = await joinFully(server, name, NAME, update.length, 1)
  const isTextRight = textOf(cold.parts) === expected
  // The document stays open while somebody is in it.
  const warm = []
  for (let join = 0; join < WARM_JOINS; join++) {
    const { client, ms } = await joinFully(server, name, NAME, update.length, 2 + join)
    client.close()
    warm.push(ms)
  }
  const third = await joinTogether(server, name, update.length, Math.round(herd / 3))
  const all = await joinTogether(server, name, update.length, herd)
  cold.client.close()
  await server.close()

  server = await start()
  const coldHerd = await joinTogether(server, name, update.length, Math.round(herd / 3))
  warm.sort((a, b) => a - b)
  return {
    coldMs: cold.ms,
    warmMs: warm[Math.floor(WARM_JOINS / 2)],
    thirdCpuMs: third.cpuMs,
    allCpuMs: all.cpuMs,
    allMs: all.ms,
    p99Ms: all.p99Ms,
    coldHerdMs: coldHerd.ms,
    coldHerdCpuMs: coldHerd.cpuMs,
    peakMb: all.peakBytes / 1e6,
    loopP99Ms: Math.max(third.loopP99Ms, all.loopP99Ms, coldHerd.loopP99Ms),
    stolenShare: Math.max(third.stolenShare, all.stolenShare, coldHerd.stolenShare),
    driverShare: Math.max(third.driverShare, all.driverShare, coldHerd.driverShare),
    isTextRight: isTextRight && third.isComplete && all.isComplete && coldHerd.isComplete,
  }
}

let made = null

function documentOf(bytes) {
  if (made === null) {
    if (bytes === 0) made = traceDocument()
    else {
      const doc = new Y.Doc()
      doc.clientID = 1
      let state = 1
      const letters = Array.from({ length: bytes }, () => {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
        return String.fromCharCode(97 + ((state >>> 16) % 26))
      })
      doc.getText('body').insert(0, letters.join(''))
      made = Y.encodeStateAsUpdate(doc)
    }
  }
  return made
}

/** Puts the document into the server by its own wire, and ends it in order, so that all is on disk. */
async function store(server, name, update) {
  const Client = await clientOf(name)
  const client = new Client(server.port, NAME, clientIdOf(0))
  await client.join()
  await client.sendLarge(update)
  const reader = await joinFully(server, name, NAME, update.length, 1)
  await server.ask('compact', NAME)
  client.close()
  reader.client.close()
  await settle(server)
  await server.close()
}

async function joinTogether(server, name, bytes, count) {
  const times = []
  let isComplete = true
  const joined = []
  const cost = await measureCost(server, joined, async () => {
    const all = await Promise.all(
      Array.from({ length: count }, (_, index) =>
        joinFully(server, name, NAME, bytes, 100 + index),
      ),
    )
    for (const { client, parts, ms } of all) {
      joined.push({ client })
      times.push(ms)
      isComplete &&= parts.reduce((sum, part) => sum + part.length, 0) > bytes * 0.9
    }
  })
  for (const { client } of joined) client.close()
  await settle(server)
  times.sort((a, b) => a - b)
  return {
    ...cost,
    ms: times.at(-1),
    p99Ms: times[Math.floor(times.length * 0.99)],
    isComplete,
  }
}

const ms = (value) => value.toFixed(value < 10 ? 1 : 0)

export const columns = {
  'cold ms': ({ coldMs }) => ms(coldMs),
  'warm ms': ({ warmMs }) => ms(warmMs),
  'third at once: cpu ms': ({ thirdCpuMs }) => ms(thirdCpuMs),
  'all at once: cpu ms': ({ allCpuMs }) => ms(allCpuMs),
  'last one ms': ({ allMs }) => ms(allMs),
  'third on a cold server: ms': ({ coldHerdMs }) => ms(coldHerdMs),
  'peak MB': ({ peakMb }) => peakMb.toFixed(0),
  'loop p99 ms': ({ loopP99Ms }) => loopP99Ms.toFixed(0),
}
export const ratios = {
  cold: 'coldMs',
  warm: 'warmMs',
  'third cpu': 'thirdCpuMs',
  'all cpu': 'allCpuMs',
  'cold herd': 'coldHerdMs',
}
