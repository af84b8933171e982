// O: one writer and many watchers, each with a caret that moves once a second.
import { Histogram } from '../load/histogram.mjs'
import { caret, forEachCaret, forEachTyped, Typist } from '../load/keystrokes.mjs'
import { joinAll, measureCost, sleep, verifyText } from '../load/session.mjs'

export const title = 'O  Observers: one writer at 10/s, W watchers whose carets move once a second'
export const servers = ['y-rooms', 'hocuspocus', 'y-websocket', 'y-socket-io']
export const options = {
  w: { type: 'string', default: '1500', note: 'watchers' },
  warmup: { type: 'string', default: '8', note: 'seconds of the same load before' },
  seconds: { type: 'string', default: '10', note: 'measured, after the warm-up' },
}
export const smoke = { w: '5', seconds: '1', warmup: '0.3' }

const DRAIN_MS = 15_000
const LETTER_MS = 100
const CARET_MS = 1000
const TICK_MS = 5
/** Carets are read by so many watchers: all of them would cost the driver more than the server. Bytes are counted for all. */
const READERS = 30

export async function run({ server, values, name }) {
  const count = Number(values.w)
  const members = await joinAll(name, server.port, 'stage', count + 1, (client, index) => ({
    client,
    index,
    letters: 0,
    place: 0,
  }))
  const [writer, ...watchers] = members
  const typist = new Typist(writer.client.clientId)
  const watch = watchAll(watchers, typist)
  const load = loadUntil(members, typist, watch)
  const startAt = performance.now()
  const warmAt = startAt + Number(values.warmup) * 1000
  await load(warmAt)
  watch.isMeasuring = true
  const cost = await measureCost(server, members, () =>
    load(warmAt + Number(values.seconds) * 1000),
  )
  watch.isMeasuring = false
  const undelivered = await drained(watchers, typist)
  const isTextRight = await verifyText(name, server.port, 'stage', [typist])
  for (const { client } of members) client.close()
  return {
    ...cost,
    p50Ms: watch.updates.quantile(0.5),
    p99Ms: watch.updates.quantile(0.99),
    presenceP50Ms: watch.presence.quantile(0.5),
    presenceP99Ms: watch.presence.quantile(0.99),
    undelivered,
    isTextRight,
  }
}

function watchAll(watchers, typist) {
  const watch = {
    updates: new Histogram(),
    presence: new Histogram(),
    typedAt: [],
    movedAt: new Map(),
    isMeasuring: false,
  }
  const seen = watchers.slice(0, READERS).map(() => new Map())
  for (const watcher of watchers) {
    watcher.client.onUpdate = (update) => {
      const now = performance.now()
      forEachTyped(update, (client, _from, to) => {
        if (client !== typist.clientId) return
        for (; watcher.letters < to; watcher.letters++)
          if (watch.isMeasuring) watch.updates.add(now - watch.typedAt[watcher.letters])
      })
    }
  }
  for (const [reader, { client }] of watchers.slice(0, READERS).entries())
    client.onPresence = (update) => {
      const now = performance.now()
      forEachCaret(update, (author, place) => {
        if (author === client.clientId || place <= (seen[reader].get(author) ?? 0)) return
        seen[reader].set(author, place)
        const sentAt = watch.movedAt.get(author)?.[place - 1]
        if (watch.isMeasuring && sentAt !== undefined) watch.presence.add(now - sentAt)
      })
    }
  return watch
}

function loadUntil([writer, ...watchers], typist, watch) {
  let nextLetterAt = performance.now()
  let nextCaretAt = performance.now()
  let turn = 0
  return async (untilMs) => {
    for (let now; (now = performance.now()) < untilMs; await sleep(TICK_MS)) {
      for (; nextLetterAt <= now; nextLetterAt += LETTER_MS) {
        watch.typedAt.push(performance.now())
        writer.client.sendUpdate(typist.type())
      }
      for (; nextCaretAt <= now; nextCaretAt += CARET_MS / watchers.length) {
        const watcher = watchers[turn++ % watchers.length]
        const { clientId } = watcher.client
        if (!watch.movedAt.has(clientId)) watch.movedAt.set(clientId, [])
        watch.movedAt.get(clientId).push(performance.now())
        watcher.client.sendPresence(caret(clientId, ++watcher.place))
      }
    }
  }
}

async function drained(watchers, typist) {
  const missing = () => watchers.reduce((sum, { letters }) => sum + typist.clock - letters, 0)
  for (const until = performance.now() + DRAIN_MS; missing() > 0 && performance.now() < until;)
    await sleep(50)
  return missing()
}

export const columns = {
  'cpu %': ({ cpuShare }) => (cpuShare * 100).toFixed(0),
  'p50 ms': ({ p50Ms }) => p50Ms.toFixed(1),
  'p99 ms': ({ p99Ms }) => p99Ms.toFixed(0),
  'presence p50 ms': ({ presenceP50Ms }) => presenceP50Ms.toFixed(0),
  'presence p99 ms': ({ presenceP99Ms }) => presenceP99Ms.toFixed(0),
  'MB/s out': ({ bytesPerSecond }) => (bytesPerSecond / 1e6).toFixed(0),
  'peak MB': ({ peakBytes }) => (peakBytes / 1e6).toFixed(0),
  'loop p99 ms': ({ loopP99Ms }) => loopP99Ms.toFixed(0),
  undelivered: ({ undelivered }) => String(undelivered),
}
export const ratios = { cpu: 'cpuShare', p99: 'p99Ms' }
