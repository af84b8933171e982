// S: a paper as it was written, one update for each keystroke, from one client: what it costs to take, to keep and to read again.
import { diskUsage } from '../load/disk.mjs'
import { forEachTyped } from '../load/keystrokes.mjs'
import {
  PERSISTING,
  clientIdOf,
  clientOf,
  joinFully,
  measureCost,
  settle,
  sleep,
  textOf,
} from '../load/session.mjs'
import { typeTrace } from '../load/trace.mjs'

export const title = 'S  Storage: a paper as single keystrokes from one client'
export const servers = PERSISTING
export const options = {
  edits: { type: 'string', default: '259778', note: 'of the trace' },
  window: { type: 'string', default: '5000', note: 'keystrokes that the reader has not got yet' },
}
export const smoke = { edits: '3000', window: '500' }

const NAME = 'paper'
/** So many keystrokes are sent before the driver listens again. */
const BURST = 100
const STALLED_MS = 120_000
/** The server rests when it has used less than this in that time, and its directory has not changed. */
const QUIET_MS = 500
const QUIET_CPU_MS = 20

let typed = null

export async function run({ server: first, start, directory, name, values }) {
  typed ??= typeTrace(Number(values.edits), clientIdOf(0))
  const window = Number(values.window)

  const Client = await clientOf(name)
  const writer = new Client(first.port, NAME, clientIdOf(0))
  const reader = new Reader(new Client(first.port, NAME, clientIdOf(1)))
  await writer.join()
  await reader.client.join()
  const { writtenBytes: writtenBefore } = await first.ask('usage')
  const cost = await measureCost(first, [reader], () => relay(writer, reader, window))
  const backlog = await measureBacklog(first, directory)
  const { peakBytes } = await first.ask('usage')
  writer.close()
  reader.client.close()
  const writtenBytes = (await first.close()) - writtenBefore
  const closedBytes = await diskUsage(directory)

  const cold = await reopen(start, name)
  const reopenedBytes = await diskUsage(directory)
  // y-rooms folds a document when it has been left for a while; the others know nothing of the kind.
  const again = await reopen(start, name, async (server) => {
    await server.ask('compact', NAME)
    await measureBacklog(server, directory)
  })
  const last = await reopen(start, name)
  const foldedBytes = await diskUsage(directory)
  return {
    ...cost,
    ...backlog,
    peakMb: peakBytes / 1e6,
    closedMb: closedBytes / 1e6,
    reopenedMb: reopenedBytes / 1e6,
    foldedMb: foldedBytes / 1e6,
    foldedShare: foldedBytes / typed.encodedBytes,
    writtenShare: writtenBytes / typed.acceptedBytes,
    coldMs: cold.ms,
    foldedColdMs: last.ms,
    isTextRight: [reader, cold, again, last].every(({ parts }) => textOf(parts) === typed.text),
  }
}

/** A start, one who joins and leaves, and an end in order. */
async function reopen(start, name, work = () => Promise.resolve()) {
  const server = await start()
  const joined = await joinFully(server, name, NAME, typed.encodedBytes, 2)
  await work(server)
  joined.client.close()
  await settle(server)
  await server.close()
  return joined
}

/** Sends all, never more than `window` ahead of what the reader has. */
async function relay(writer, reader, window) {
  const { updates, clockAfter } = typed
  let [sent, received] = [0, 0]
  for (;;) {
    // A deletion has no number of its own: it is taken for received with the keystroke before it.
    while (received < updates.length && clockAfter[received] <= reader.clock) received++
    if (received === updates.length) return
    const until = Math.min(updates.length, received + window, sent + BURST)
    if (sent === until) await reader.progress()
    for (; sent < until; sent++) writer.sendUpdate(updates[sent])
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Keeps what it gets, and knows how far that reaches. */
class Reader {
  clock = 0
  parts = []
  #onProgress = () => undefined

  constructor(client) {
    this.client = client
    client.onUpdate = (update) => {
      this.parts.push(update)
      forEachTyped(update, (_client, _from, to) => (this.clock = Math.max(this.clock, to)))
      this.#onProgress()
    }
  }

  progress() {
    return new Promise((resolve, reject) => {
      const failed = () => reject(new Error('nothing arrives any more'))
      const timer = setTimeout(failed, STALLED_MS)
      this.#onProgress = () => resolve(clearTimeout(timer))
    })
  }
}

/** Some write on long after the reader has everything. */
async function measureBacklog(server, directory) {
  const startedAt = performance.now()
  const { cpuMs } = await server.ask('usage')
  let endedAt = startedAt
  for (let before = null; ;) {
    const now = { ...(await server.ask('usage')), disk: await diskUsage(directory) }
    if (before !== null && now.cpuMs - before.cpuMs < QUIET_CPU_MS && now.disk === before.disk)
      return { backlogSeconds: (endedAt - startedAt) / 1000, backlogCpuMs: before.cpuMs - cpuMs }
    if (before !== null) endedAt = performance.now()
    before = now
    await sleep(QUIET_MS)
  }
}

export const columns = {
  'cpu s': ({ cpuMs }) => (cpuMs / 1e3).toFixed(1),
  seconds: ({ seconds }) => seconds.toFixed(1),
  'backlog s': ({ backlogSeconds }) => backlogSeconds.toFixed(1),
  'backlog cpu s': ({ backlogCpuMs }) => (backlogCpuMs / 1e3).toFixed(1),
  'peak MB': ({ peakMb }) => peakMb.toFixed(0),
  'on disk MB': ({ closedMb }) => closedMb.toFixed(2),
  'reopened MB': ({ reopenedMb }) => reopenedMb.toFixed(2),
  'folded MB': ({ foldedMb }) => foldedMb.toFixed(2),
  'of encoded': ({ foldedShare }) => `${foldedShare.toFixed(1)}×`,
  'written per byte': ({ writtenShare }) =>
    writtenShare >= 0 ? `${writtenShare.toFixed(1)}×` : '–',
  'cold ms': ({ coldMs }) => coldMs.toFixed(0),
  'folded cold ms': ({ foldedColdMs }) => foldedColdMs.toFixed(0),
  'loop p99 ms': ({ loopP99Ms }) => loopP99Ms.toFixed(0),
}
export const ratios = {
  cpu: 'cpuMs',
  peak: 'peakMb',
  'on disk': 'reopenedMb',
  cold: 'coldMs',
  'folded cold': 'foldedColdMs',
}
