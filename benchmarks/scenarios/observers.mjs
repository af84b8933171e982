// O: one writer and many watchers, each with a caret that moves once a second.
import { perMessage } from '../clients/same-bytes.mjs'
import { Histogram } from '../load/histogram.mjs'
import { caret, caretsIn, forEachTyped, Typist } from '../load/keystrokes.mjs'
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

export async function run({ server, values, name }) {
  const count = Number(values.w)
  const members = await joinAll(name, server.port, 'stage', count + 1, (client, index) => ({
    client,
    index,
    letters: 0,
    place: 0,
    /** When its caret was moved to each place. */
    movedAt: [],
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
    isMeasuring: false,
  }
  const authors = new Map(watchers.map(({ client }, author) => [client.clientId, author]))
  /** Whose carets are in an update, as author and place, one behind the other: all watchers ask for each. */
  const caretsOf = perMessage((update) =>
    caretsIn(update).flatMap(({ client, place }) =>
      authors.has(client) ? [authors.get(client), place] : [],
    ),
  )
  for (const [receiver, watcher] of watchers.entries()) {
    watcher.places = new Uint32Array(watchers.length)
    watcher.client.onUpdate = (update) => {
      const now = performance.now()
      forEachTyped(update, (client, from, to) => {
        if (client !== typist.clientId || from > watcher.letters) return
        for (; watcher.letters < to; watcher.letters++)
          if (watch.isMeasuring) watch.updates.add(now - watch.typedAt[watcher.letters])
      })
    }
    watcher.client.onPresence = (update) => {
      const now = performance.now()
      const seen = watcher.places
      const carets = caretsOf(update)
      for (let index = 0; index < carets.length; index += 2) {
        const author = carets[index]
        const place = carets[index + 1]
        if (author === receiver || place <= seen[author]) continue
        seen[author] = place
        if (watch.isMeasuring) watch.presence.add(now - watchers[author].movedAt[place - 1])
      }
    }
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
        watcher.movedAt.push(performance.now())
        watcher.client.sendPresence(caret(clientId, ++watcher.place))
      }
    }
  }
}

/** Letters and last carets that have not arrived. Waits for them. */
async function drained(watchers, typist) {
  const missing = () => {
    let count = 0
    for (const [receiver, { letters, places }] of watchers.entries()) {
      count += typist.clock - letters
      for (let author = 0; author < places.length; author++)
        if (author !== receiver && places[author] !== watchers[author].place) count++
    }
    return count
  }
  for (const until = performance.now() + DRAIN_MS; missing() > 0 && performance.now() < until;)
    await sleep(50)
  return missing()
}

export const columns = {
  'cpu %': ({ cpuShare }) => (cpuShare * 100).toFixed(0),
  'p50 ms': ({ p50Ms }) => p50Ms.toFixed(1),
  'p99 ms': ({ p99Ms }) => p99Ms.toFixed(0),
  /** A caret's age when it arrives. */
  'age of presence p50 ms': ({ presenceP50Ms }) => presenceP50Ms.toFixed(0),
  'age of presence p99 ms': ({ presenceP99Ms }) => presenceP99Ms.toFixed(0),
  'MB/s out': ({ bytesPerSecond }) => (bytesPerSecond / 1e6).toFixed(0),
  'peak MB': ({ peakBytes }) => (peakBytes / 1e6).toFixed(0),
  'loop p99 ms': ({ loopP99Ms }) => loopP99Ms.toFixed(0),
  undelivered: ({ undelivered }) => String(undelivered),
}
export const ratios = { cpu: 'cpuShare', p99: 'p99Ms' }
