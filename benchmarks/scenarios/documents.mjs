// M: many documents with two clients each, who type a letter a second.
import { forEachTyped, Typist } from '../load/keystrokes.mjs'
import { Histogram } from '../load/histogram.mjs'
import {
  ALL,
  act,
  joinAll,
  measureCost,
  memoryOf,
  nameAt,
  rampUp,
  sleep,
  verifyText,
} from '../load/session.mjs'

export const title = 'M  Many documents: two editors in each, 1 keystroke/s each'
export const servers = ALL
export const options = {
  documents: { type: 'string', default: '1000', note: 'each with two editors' },
  seconds: { type: 'string', default: '10', note: 'measured, after 2 s of the same load' },
  rate: { type: 'string', default: '1', note: 'keystrokes per second of each' },
}
export const smoke = { documents: '8', seconds: '1', rate: '5' }

const WARM_UP_MS = 2000
const DRAIN_MS = 15_000
/** So many documents are read again at the end. */
const VERIFIED = 8

export async function run({ server, values, name }) {
  const documents = Number(values.documents)
  const everyMs = 1000 / Number(values.rate)
  const before = (await memoryOf(server)).residentBytes
  const editors = await joinAll(name, server.port, documents, 2 * documents, (client) => ({
    client,
    typist: new Typist(client.clientId),
    typedAt: [],
    /** How many letters of the other one have come. */
    seen: 0,
    nextAt: 0,
  }))
  const residentBytes = (await memoryOf(server)).residentBytes - before

  const latencies = new Histogram()
  for (const [index, editor] of editors.entries())
    watch(editor, editors[(index + documents) % editors.length], latencies)
  const turn = (editor, now) => {
    editor.typedAt.push(now)
    editor.client.sendUpdate(editor.typist.type())
  }
  const { startAt } = rampUp(editors, everyMs)
  const measuredFrom = startAt + WARM_UP_MS
  await act(editors, everyMs, measuredFrom, turn)
  latencies.clear()
  const cost = await measureCost(server, editors, () =>
    act(editors, everyMs, measuredFrom + Number(values.seconds) * 1000, turn),
  )
  const undelivered = await drain(editors)
  const isTextRight = await verifySome(name, server.port, editors, documents)
  for (const { client } of editors) client.close()
  return {
    ...cost,
    p50Ms: latencies.quantile(0.5),
    p99Ms: latencies.quantile(0.99),
    maxMs: latencies.max,
    delivered: latencies.count,
    kbPerDocument: residentBytes / documents / 1e3,
    undelivered,
    isTextRight,
  }
}

/** Counts what a receiver gets of its one author, and how late. */
function watch(receiver, author, latencies) {
  receiver.author = author
  receiver.client.onUpdate = (update) => {
    const now = performance.now()
    forEachTyped(update, (client, from, to) => {
      if (client !== author.client.clientId || from > receiver.seen) return
      for (; receiver.seen < to; receiver.seen++) latencies.add(now - author.typedAt[receiver.seen])
    })
  }
}

/** Letters that have not arrived. Waits for them. */
async function drain(editors) {
  const until = performance.now() + DRAIN_MS
  for (;;) {
    const missing = editors.reduce((sum, { author, seen }) => sum + author.typist.clock - seen, 0)
    if (missing === 0 || performance.now() > until) return missing
    await sleep(50)
  }
}

async function verifySome(name, port, editors, documents) {
  const step = Math.ceil(documents / VERIFIED)
  for (let index = 0; index < documents; index += step) {
    const typists = [editors[index].typist, editors[index + documents].typist]
    if (!(await verifyText(name, port, nameAt(index), typists))) return false
  }
  return true
}

export const columns = {
  'cpu %': ({ cpuShare }) => (cpuShare * 100).toFixed(0),
  'p50 ms': ({ p50Ms }) => p50Ms.toFixed(1),
  'p99 ms': ({ p99Ms }) => p99Ms.toFixed(1),
  'max ms': ({ maxMs }) => maxMs.toFixed(0),
  'KB per open document': ({ kbPerDocument }) => kbPerDocument.toFixed(0),
  'loop p99 ms': ({ loopP99Ms }) => loopP99Ms.toFixed(0),
  undelivered: ({ undelivered }) => String(undelivered),
}
export const ratios = { cpu: 'cpuShare', p99: 'p99Ms', 'KB per document': 'kbPerDocument' }
