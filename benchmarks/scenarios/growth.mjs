// G: what must not grow with a document, with its history, or with the number of rooms.
import * as Y from 'yjs'
import { makeDocument } from '../documents.mjs'
import { NUMBER_OPTIONS } from '../product.mjs'
import { watchDisturbance } from '../load/disturbance.mjs'
import { Histogram } from '../load/histogram.mjs'
import { forEachTyped, Typist } from '../load/keystrokes.mjs'
import { openNeighbours } from '../load/neighbours.mjs'
import { clientIdOf, clientOf, joinFully, measureCost, settle, sleep } from '../load/session.mjs'
import { median } from '../report.mjs'
import { run as runDocuments } from './documents.mjs'

export const title = 'G  Growth: a keystroke, a join and a fold of 10 MB; twice the rooms'
export const servers = ['y-rooms']
export const options = {
  megabytes: { type: 'string', default: '10', note: 'of the large documents' },
  rounds: { type: 'string', default: '3', note: 'of keystrokes, into each document in turn' },
  keystrokes: { type: 'string', default: '1000', note: 'of a round' },
  joins: { type: 'string', default: '8', note: 'of each document, warm' },
  documents: {
    type: 'string',
    default: '500',
    note: 'and twice as many, two editors in each, 1/s',
  },
  seconds: { type: 'string', default: '8', note: 'of these' },
}
export const smoke = {
  megabytes: '0.2',
  rounds: '1',
  keystrokes: '150',
  joins: '2',
  documents: '4',
  seconds: '1',
}

const READERS = 2
/** Keystrokes of a round that wait for the one before, as a person's do. */
const ONE_BY_ONE = 100
/** The others are this many ahead of what has arrived: what sixteen people who type at once have on their way. */
const WINDOW = 16
/** No round of these folds a log: what is measured is the way of a keystroke, not the work that is put off. */
const NO_FOLDING = { compactAfterEntries: 10_000_000, compactAfterBytes: 1024 ** 3 }
/** Often enough to meet a fold of some hundred milliseconds many times. */
const NEIGHBOUR_TYPES_EVERY_MS = 10
const QUIET_MS = 1000
const STALLED_MS = 60_000

/** Made once for all runs: twenty people's edits take half a minute. */
let made = null

export async function run({ server: first, start, name, values }) {
  made ??= makeAll(Number(values.megabytes) * 1e6)
  const disturbance = watchDisturbance()
  const driver = performance.eventLoopUtilization()
  await store(first, name)
  const noFolding = name === 'y-rooms' ? NO_FOLDING : {}
  const typed = await typeInto(await start({ options: noFolding }), name, values)
  const joined = await joinEach(await start(), name, Number(values.joins))
  const rooms = await measureRooms(start, name, values)
  const { isTextRight: isTypedRight, loopP99Ms: typedLoopP99Ms, ...rest } = typed
  return {
    ...rest,
    ...joined,
    ...rooms,
    loopP99Ms: Math.max(typedLoopP99Ms, joined.loopP99Ms, rooms.loopP99Ms),
    isTextRight: isTypedRight && joined.isComplete && rooms.areRoomsRight,
    stolenShare: disturbance(),
    driverShare: performance.eventLoopUtilization(driver).utilization,
  }
}

/** The empty one has a letter, since a document without any is not stored by every server. */
function makeAll(bytes) {
  const empty = new Y.Doc()
  empty.clientID = 1
  empty.getText('body').insert(0, '.')
  return Object.entries({
    empty,
    tenth: makeDocument(bytes / 10, 'short'),
    short: makeDocument(bytes, 'short'),
    long: makeDocument(bytes, 'long'),
  }).map(([kind, doc]) => ({ kind, update: Y.encodeStateAsUpdate(doc) }))
}

async function store(server, name) {
  const Client = await clientOf(name)
  for (const { kind, update } of made) {
    const owner = new Client(server.port, kind, clientIdOf(0))
    await owner.join()
    await owner.sendLarge(update)
    const { client } = await joinFully(server, name, kind, update.length, 1)
    await server.ask('compact', kind)
    owner.close()
    client.close()
  }
  await settle(server)
  await server.close()
}

/** Keystrokes by turns, so that all documents meet the same machine; then folds, beside which somebody types elsewhere. */
async function typeInto(server, name, { rounds, keystrokes }) {
  const scenes = []
  for (const { kind, update } of made)
    if (kind !== 'tenth') scenes.push(await Scene.open(server, name, kind, update))
  // The first round warms the machine code up and is not counted.
  for (let round = 0; round <= Number(rounds); round++)
    for (const scene of scenes) {
      const cost = await scene.typeRound(Number(keystrokes))
      if (round > 0) scene.costs.push(cost)
    }
  const [empty, short, long] = scenes.map(({ costs }) => ({
    us: median(costs.map(({ cpuMs }) => cpuMs * 1000)) / (Number(keystrokes) - ONE_BY_ONE),
    shownMs: median(costs.map(({ shownMs }) => shownMs)),
  }))
  const folds = await foldBeside(server, name)
  for (const scene of scenes) scene.close()
  await server.close()
  return {
    emptyUs: empty.us,
    shortUs: short.us,
    longUs: long.us,
    cpuRatio: Math.max(short.us, long.us) / empty.us,
    emptyShownMs: empty.shownMs,
    shownRatio: Math.max(short.shownMs, long.shownMs) / empty.shownMs,
    ...folds,
    loopP99Ms: Math.max(
      folds.foldLoopP99Ms,
      ...scenes.flatMap(({ costs }) => costs.map(({ loopP99Ms }) => loopP99Ms)),
    ),
  }
}

/** One document with somebody who types and some who read. */
class Scene {
  costs = []
  #typist = new Typist(clientIdOf(10))
  #sentAt = []
  #shown = new Histogram()
  /** Letters that each reader has. */
  #seen = Array.from({ length: READERS }, () => 0)
  #onProgress = () => undefined

  static async open(server, name, kind, update) {
    const scene = new Scene()
    scene.server = server
    scene.writer = (await joinFully(server, name, kind, update.length, 10)).client
    scene.readers = []
    for (let reader = 0; reader < READERS; reader++) {
      const { client } = await joinFully(server, name, kind, update.length, 20 + reader)
      client.onUpdate = (received) => scene.#see(reader, received)
      scene.readers.push(client)
    }
    return scene
  }

  #see(reader, update) {
    const now = performance.now()
    forEachTyped(update, (client, from, to) => {
      if (client !== this.#typist.clientId || from > this.#seen[reader]) return
      for (; this.#seen[reader] < to; this.#seen[reader]++)
        this.#shown.add(now - this.#sentAt[this.#seen[reader]])
    })
    this.#onProgress()
  }

  /** Some one after the other, for the latency; then the rest with several on their way, for the cost. */
  async typeRound(keystrokes) {
    this.#shown.clear()
    for (let count = 0; count < ONE_BY_ONE; count++) {
      this.#type()
      await this.#until(this.#typist.clock)
    }
    const shownMs = this.#shown.quantile(0.5)
    const cost = await measureCost(this.server, [], async () => {
      for (let count = ONE_BY_ONE; count < keystrokes; count++) {
        this.#type()
        await this.#until(this.#typist.clock - WINDOW)
      }
      await this.#until(this.#typist.clock)
    })
    return { ...cost, shownMs }
  }

  #type() {
    this.#sentAt.push(performance.now())
    this.writer.sendUpdate(this.#typist.type())
  }

  /** When every reader has so many letters. */
  async #until(clock) {
    while (this.#seen.some((seen) => seen < clock))
      await new Promise((resolve, reject) => {
        const failed = () => reject(new Error('keystrokes do not arrive any more'))
        const timer = setTimeout(failed, STALLED_MS)
        this.#onProgress = () => resolve(clearTimeout(timer))
      })
  }

  close() {
    for (const client of [this.writer, ...this.readers]) client.close()
  }
}

/** Only y-rooms folds. What its neighbours notice while it does, and how late they are shown things anyway. */
async function foldBeside(server, name) {
  const neighbours = await openNeighbours(server, name, NEIGHBOUR_TYPES_EVERY_MS)
  const quiet = await neighbours.during(() => sleep(QUIET_MS))
  const folds = []
  if (name === 'y-rooms')
    for (const kind of ['short', 'long'])
      folds.push(await neighbours.during(() => server.ask('compact', kind)))
  const isTextRight = await neighbours.end()
  if (folds.length === 0) return { quiet, foldLoopP99Ms: 0, isTextRight }
  const [foldShort, foldLong] = folds
  return {
    quiet,
    foldShort,
    foldLong,
    foldDelayMs: Math.max(foldShort.shownMaxMs, foldLong.shownMaxMs) - quiet.shownP50Ms,
    foldUs: { short: usPerKeystroke('short', foldShort), long: usPerKeystroke('long', foldLong) },
    foldLoopP99Ms: Math.max(foldShort.loopP99Ms, foldLong.loopP99Ms),
    isTextRight,
  }
}

/** A fold's share in each keystroke from one fold to the next: as many of these as src/document/compaction.ts waits for. */
function usPerKeystroke(kind, { cpuMs }) {
  const { update } = made.find((document) => document.kind === kind)
  const entries = Math.max(
    NUMBER_OPTIONS.compactAfterEntries.default,
    Math.floor(update.length / 1024),
  )
  return (cpuMs * 1000) / entries
}

/** Processor time of joins, for each byte: of a document and of one ten times as large, with few edits and with many. */
async function joinEach(server, name, joins) {
  const nsPerByte = {}
  let loopP99Ms = 0
  let isComplete = true
  for (const { kind, update } of made.slice(1)) {
    // The first one opens the document, and keeps it open.
    const { client: host } = await joinFully(server, name, kind, update.length, 1)
    await settle(server)
    let bytes = 0
    const cost = await measureCost(server, [], async () => {
      for (let join = 0; join < joins; join++) {
        const { client, parts } = await joinFully(server, name, kind, update.length, 2 + join)
        client.close()
        const received = parts.reduce((sum, part) => sum + part.length, 0)
        isComplete &&= received > update.length * 0.9
        bytes += received
      }
    })
    host.close()
    await settle(server)
    nsPerByte[kind] = (cost.cpuMs * 1e6) / bytes
    loopP99Ms = Math.max(loopP99Ms, cost.loopP99Ms)
  }
  await server.close()
  return {
    joinNs: nsPerByte,
    joinSizeRatio: nsPerByte.short / nsPerByte.tenth,
    joinHistoryRatio: nsPerByte.long / nsPerByte.short,
    loopP99Ms,
    isComplete,
  }
}

/** As in M, with so many documents and with twice as many, each time on a server and a storage of its own. */
async function measureRooms(start, name, { documents, seconds }) {
  const costs = []
  for (const count of [Number(documents), 2 * Number(documents)]) {
    const server = await start({ storage: `${count}-documents` })
    const values = { documents: String(count), seconds, rate: '1' }
    costs.push(await runDocuments({ server, name, values }))
    await server.close()
  }
  const [half, all] = costs
  return {
    halfShare: half.cpuShare,
    allShare: all.cpuShare,
    roomsRatio: all.cpuShare / half.cpuShare,
    loopP99Ms: Math.max(half.loopP99Ms, all.loopP99Ms),
    areRoomsRight: costs.every(({ isTextRight }) => isTextRight),
    undelivered: half.undelivered + all.undelivered,
  }
}

const shown = (phase) =>
  phase === undefined ? '–' : `${phase.shownP99Ms.toFixed(1)} · ${phase.shownMaxMs.toFixed(0)}`
const round = (value, digits) => (value === undefined ? '–' : value.toFixed(digits))

export const columns = {
  'keystroke, µs: empty · large · long history': ({ emptyUs, shortUs, longUs }) =>
    `${round(emptyUs, 0)} · ${round(shortUs, 0)} · ${round(longUs, 0)}`,
  'large / empty': ({ cpuRatio }) => round(cpuRatio, 2),
  'shown ms, empty': ({ emptyShownMs }) => round(emptyShownMs, 2),
  'shown, large / empty': ({ shownRatio }) => round(shownRatio, 2),
  'neighbour shown p99 · max ms, quiet': ({ quiet }) => shown(quiet),
  'fold of large': ({ foldShort }) => shown(foldShort),
  'of long history': ({ foldLong }) => shown(foldLong),
  'fold delays by ms': ({ foldDelayMs }) => round(foldDelayMs, 1),
  'loop max ms, folds': ({ foldShort, foldLong }) =>
    foldShort === undefined
      ? '–'
      : `${round(foldShort.loopMaxMs, 0)} · ${round(foldLong.loopMaxMs, 0)}`,
  'saved max ms, folds': ({ foldShort, foldLong }) =>
    foldShort === undefined
      ? '–'
      : `${round(foldShort.savedMaxMs, 0)} · ${round(foldLong.savedMaxMs, 0)}`,
  'fold cpu s': ({ foldShort, foldLong }) =>
    foldShort === undefined
      ? '–'
      : `${round(foldShort.cpuMs / 1e3, 2)} · ${round(foldLong.cpuMs / 1e3, 2)}`,
  'fold, µs of a keystroke': ({ foldUs }) =>
    foldUs === undefined ? '–' : `${round(foldUs.short, 0)} · ${round(foldUs.long, 0)}`,
  'join, ns per byte: a tenth · large · long history': ({ joinNs: { tenth, short, long } }) =>
    `${round(tenth, 2)} · ${round(short, 2)} · ${round(long, 2)}`,
  'large / a tenth': ({ joinSizeRatio }) => round(joinSizeRatio, 2),
  'long / short history': ({ joinHistoryRatio }) => round(joinHistoryRatio, 2),
  'rooms cpu %: half · all': ({ halfShare, allShare }) =>
    `${round(halfShare * 100, 1)} · ${round(allShare * 100, 1)}`,
  'all / half': ({ roomsRatio }) => round(roomsRatio, 2),
  'loop p99 ms': ({ loopP99Ms }) => round(loopP99Ms, 1),
  undelivered: ({ undelivered }) => String(undelivered),
}
export const ratios = { 'keystroke on large': 'longUs' }
