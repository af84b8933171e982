// F: one document, N editors, each with 5 keystrokes and 5 caret moves a second.
import { perMessage } from '../clients/same-bytes.mjs'
import { caret, caretsIn, typedIn, Typist } from '../load/keystrokes.mjs'
import { Histogram } from '../load/histogram.mjs'
import { ALL, act, joinAll, measureCost, rampUp, sleep, verifyText } from '../load/session.mjs'

export const title = 'F  Crowded document: N editors, 5 keystrokes/s and 5 caret moves/s each'
export const servers = ALL
export const options = {
  n: { type: 'string', default: '100', note: 'editors' },
  seconds: { type: 'string', default: '5', note: 'measured, after the warm-up' },
  warmup: { type: 'string', default: '8', note: 'seconds of the same load before' },
  rate: { type: 'string', default: '5', note: 'keystrokes and caret moves per second of each' },
  search: {
    type: 'string',
    default: '0',
    note: 'or: for the most editors with p99 < 100 ms, from so many',
  },
}
export const smoke = { n: '4', seconds: '1', warmup: '0.3' }

const DRAIN_MS = 15_000

/** Crowds so far: each has a document of its own, since a search starts servers again where there are those of the sizes before. */
let crowds = 0

/** What a search takes for served. */
const MAX_P99_MS = 100
const MIN_OFFERED_SHARE = 0.9
/** A search ends when it is known as well as this. */
const SEARCH_PRECISION = 0.04
/** Each size that a search tries is short, and what has not arrived soon after does not count as served. */
const SEARCH = { warmup: 3, seconds: 3, drainMs: 3000, hopelessMs: 3000 }

export async function run({ server, start, values, name }) {
  const rate = Number(values.rate)
  const from = Number(values.search)
  if (from > 0) return searchMost({ server, start, name, rate, from })
  const size = { warmup: Number(values.warmup), seconds: Number(values.seconds), drainMs: DRAIN_MS }
  return measureCrowd(server, name, { count: Number(values.n), rate, ...size })
}

/** Twice as many until it is too many, then halfway in between. Each on a server of its own: an overloaded one has much to catch up on. */
async function searchMost({ server: first, start, name, rate, from }) {
  let server = first
  let most = null
  let tooMany = Infinity
  /** What fails by little is tried twice: such a short run meets other work of the machine now and then. */
  let wasClose = false
  for (let count = from; ;) {
    const result = await measureCrowd(server, name, { count, rate, ...SEARCH })
    await server.close()
    const isServed =
      result.p99Ms < MAX_P99_MS &&
      result.undelivered === 0 &&
      result.offeredShare > MIN_OFFERED_SHARE
    const isClose = result.p99Ms < 2 * MAX_P99_MS && result.undelivered === 0
    const isAgain = !isServed && !wasClose && isClose
    wasClose = isAgain
    if (isServed) most = { ...result, mostEditors: count }
    else if (!isAgain) tooMany = count
    console.log(
      `  ${name}, ${count} editors: p99 ${result.p99Ms.toFixed(0)} ms, undelivered ${result.undelivered}, ` +
        `sent ${(result.offeredShare * 100).toFixed(0)} % of what was due, ` +
        `server ${(result.cpuShare * 100).toFixed(0)} %, driver ${(result.driverShare * 100).toFixed(0)} %`,
    )
    const served = most?.mostEditors ?? 0
    if (!isAgain) count = Math.round(tooMany === Infinity ? count * 2 : (served + tooMany) / 2)
    if (tooMany - served <= Math.max(1, served * SEARCH_PRECISION))
      return most ?? { ...result, mostEditors: 0 }
    server = await start()
  }
}

/**
 * With letters that are later than `hopelessMs`, everybody leaves, and what has not arrived is undelivered: to read what an
 * overloaded server has on its way can take minutes.
 */
async function measureCrowd(server, name, size) {
  const { count, rate, warmup, seconds, drainMs, hopelessMs = Infinity } = size
  const everyMs = 1000 / rate
  const document = `crowd-${++crowds}`
  const editors = await joinAll(name, server.port, document, count, (client, index) => ({
    client,
    index,
    typist: new Typist(client.clientId),
    places: 0,
    nextAt: 0,
  }))
  const watch = new Watch(editors, hopelessMs)
  const phase = rampUp(editors, everyMs)
  const warmAt = phase.startAt + warmup * 1000
  await load(editors, watch, everyMs, warmAt)
  const cost = await measureCost(server, editors, async () => {
    watch.start()
    // Not from when the warm-up should have ended: an overload may have kept this process from seeing that.
    await load(editors, watch, everyMs, Math.max(warmAt, performance.now()) + seconds * 1000)
  })
  const offeredShare = offered(editors, phase.startAt, performance.now(), everyMs)
  const undelivered = await watch.drain(drainMs)
  const typed = editors.map(({ typist }) => typist)
  const isTextRight =
    // Whoever is overloaded has not got it all yet.
    undelivered > 0 && drainMs < DRAIN_MS
      ? undefined
      : await verifyText(name, server.port, document, typed)
  for (const { client } of editors) client.close()
  return { ...cost, ...watch.result(), offeredShare, undelivered, isTextRight }
}

/** Of the keystrokes that were due, how many have been sent: fewer, where reading what arrives leaves no time for it. */
function offered(editors, startAt, endAt, everyMs) {
  const sent = editors.reduce((sum, { typist }) => sum + typist.clock, 0)
  return sent / (((endAt - startAt) / everyMs) * editors.length)
}

function load(editors, watch, everyMs, untilMs) {
  return act(editors, everyMs, untilMs, (editor, now) => {
    watch.sent(editor, now)
    editor.client.sendUpdate(editor.typist.type())
    editor.client.sendPresence(caret(editor.client.clientId, ++editor.places))
  })
}

/** Who has seen what of whom, and how late. */
class Watch {
  #editors
  #byClient
  /** When each letter, and each caret place, of each editor was sent. */
  #typedAt
  #movedAt
  /** What each receiver has of each editor. */
  #letters
  #places
  #isMeasuring = false
  #hopelessMs
  #updates = new Histogram()
  #presence = new Histogram()
  #saved = new Histogram()

  constructor(editors, hopelessMs) {
    this.#editors = editors
    this.#hopelessMs = hopelessMs
    this.#byClient = new Map(editors.map((editor) => [editor.client.clientId, editor.index]))
    this.#typedAt = editors.map(() => [])
    this.#movedAt = editors.map(() => [])
    this.#letters = editors.map(() => new Uint32Array(editors.length))
    this.#places = editors.map(() => new Uint32Array(editors.length))
    for (const { client, index } of editors) {
      client.onUpdate = (update) => this.#seeLetters(index, update)
      client.onPresence = (update) => this.#seePlaces(index, update)
      client.onSaved = (ms) => this.#isMeasuring && this.#saved.add(ms)
    }
  }

  sent(editor, now) {
    this.#typedAt[editor.index].push(now)
    this.#movedAt[editor.index].push(now)
  }

  start() {
    this.#isMeasuring = true
  }

  /** Which editors' letters are in an update, as author, from, to, one behind the other: hundreds ask for each. */
  #runsOf = perMessage((update) =>
    typedIn(update).flatMap(({ client, from, to }) => this.#ofAuthor(client, from, to)),
  )
  #caretsOf = perMessage((update) =>
    caretsIn(update).flatMap(({ client, place }) => this.#ofAuthor(client, place)),
  )

  #ofAuthor(client, ...numbers) {
    const author = this.#byClient.get(client)
    return author === undefined ? [] : [author, ...numbers]
  }

  #seeLetters(receiver, update) {
    const now = performance.now()
    const seen = this.#letters[receiver]
    const runs = this.#runsOf(update)
    for (let index = 0; index < runs.length; index += 3) {
      const author = runs[index]
      const to = runs[index + 2]
      let clock = seen[author]
      // Some servers send an author its own letters.
      if (author === receiver || runs[index + 1] > clock) continue
      const typedAt = this.#typedAt[author]
      for (; clock < to; clock++) if (this.#isMeasuring) this.#updates.add(now - typedAt[clock])
      if (clock > seen[author] && now - typedAt[clock - 1] > this.#hopelessMs) this.#giveUp()
      seen[author] = clock
    }
  }

  #giveUp() {
    this.#hopelessMs = Infinity
    for (const { client } of this.#editors) client.close()
  }

  /** A caret that is overtaken by a later one of the same editor needs not arrive; it counts from when it was sent all the same. */
  #seePlaces(receiver, update) {
    const now = performance.now()
    const seen = this.#places[receiver]
    const carets = this.#caretsOf(update)
    for (let index = 0; index < carets.length; index += 2) {
      const author = carets[index]
      const place = carets[index + 1]
      if (author === receiver || place <= seen[author]) continue
      seen[author] = place
      if (this.#isMeasuring) this.#presence.add(now - this.#movedAt[author][place - 1])
    }
  }

  /** Letters that have not arrived, and last carets. Waits for them up to so long. */
  async drain(timeoutMs) {
    const until = performance.now() + timeoutMs
    let missing = this.#missing()
    while (missing.letters + missing.carets > 0 && performance.now() < until) {
      await sleep(50)
      missing = this.#missing()
    }
    return missing.letters + missing.carets
  }

  #missing() {
    let [letters, carets] = [0, 0]
    for (const receiver of this.#editors.keys())
      for (const { index, typist, places } of this.#editors) {
        if (index === receiver) continue
        letters += typist.clock - this.#letters[receiver][index]
        carets += this.#places[receiver][index] === places ? 0 : 1
      }
    return { letters, carets }
  }

  result() {
    return {
      p50Ms: this.#updates.quantile(0.5),
      p99Ms: this.#updates.quantile(0.99),
      presenceP99Ms: this.#presence.quantile(0.99),
      savedP50Ms: this.#saved.quantile(0.5),
      savedP99Ms: this.#saved.quantile(0.99),
      delivered: this.#updates.count,
    }
  }
}

export const columns = {
  'most editors': ({ mostEditors }) => (mostEditors === undefined ? '' : String(mostEditors)),
  'cpu %': ({ cpuShare }) => (cpuShare * 100).toFixed(0),
  'p50 ms': ({ p50Ms }) => p50Ms.toFixed(1),
  'p99 ms': ({ p99Ms }) => p99Ms.toFixed(1),
  'presence p99 ms': ({ presenceP99Ms }) => presenceP99Ms.toFixed(0),
  'saved p50 · p99 ms': ({ savedP50Ms, savedP99Ms }) =>
    savedP99Ms === 0 ? '' : `${savedP50Ms.toFixed(1)} · ${savedP99Ms.toFixed(1)}`,
  'MB/s out': ({ bytesPerSecond }) => (bytesPerSecond / 1e6).toFixed(1),
  'loop p99 ms': ({ loopP99Ms }) => loopP99Ms.toFixed(0),
  undelivered: ({ undelivered }) => String(undelivered),
}
export const ratios = { cpu: 'cpuShare', p99: 'p99Ms' }
