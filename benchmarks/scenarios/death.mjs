// D: a server is killed while one types and another watches. Afterwards: what has been seen, or called saved, and is gone.
import { measureSync } from '../load/disk.mjs'
import { forEachTyped, letterAt, Typist } from '../load/keystrokes.mjs'
import { Histogram } from '../load/histogram.mjs'
import { PERSISTING, act, clientOf, joinAll, rampUp, settle, textOf } from '../load/session.mjs'
import { watchDisturbance } from '../load/disturbance.mjs'
import { measureSyncedEcho } from '../load/synced-echo.mjs'
import { measureThroughput } from '../load/throughput.mjs'

export const title = 'D  Death: the server is killed while one types and another watches'
export const servers = PERSISTING
export const options = {
  rate: { type: 'string', default: '200', note: 'keystrokes per second' },
  seconds: { type: 'string', default: '5', note: 'until the signal' },
  signal: { type: 'string', default: 'SIGKILL', note: 'or SIGTERM' },
  throughput: {
    type: 'string',
    default: '0',
    note: 'seconds of 10 clients with 64 updates in flight each, y-rooms only',
  },
}
export const smoke = { seconds: '1', throughput: '1' }

/** The first acknowledgements tell of a server that is not warm. */
const WARM_UP_MS = 500

export async function run({ server, start, directory, name, values }) {
  const disturbance = watchDisturbance()
  const driver = performance.eventLoopUtilization()
  const story = await typeUntilDeath(server, name, values)
  const syncMs = measureSync(directory)
  const echoMs =
    story.acks.count > 0
      ? await measureSyncedEcho(directory, 1000 / Number(values.rate))
      : undefined
  const revived = await start()
  const text = await readAll(revived, name)
  const throughput =
    name === 'y-rooms' && Number(values.throughput) > 0
      ? await measureThroughput(revived, directory, Number(values.throughput))
      : {}

  const lostSeen = Math.max(0, story.seen - text.length)
  const lostSaved = Math.max(0, story.saved - text.length)
  const { acks } = story
  const isPrefix = [...text].every((letter, clock) => letter === letterAt(clock))
  return {
    sent: story.sent,
    seen: story.seen,
    lostSeen,
    loopP99Ms: story.loopP99Ms,
    ...(acks.count > 0 && {
      lostSaved,
      syncMs,
      ackP50Ms: acks.quantile(0.5),
      ackP99Ms: acks.quantile(0.99),
      ackPerSync: acks.quantile(0.5) / syncMs,
      echoMs,
      ackPerEcho: acks.quantile(0.5) / echoMs,
    }),
    ...throughput,
    // Others lose what was seen; here it is the promise.
    isTextRight: isPrefix && (name !== 'y-rooms' || lostSeen + lostSaved === 0),
    stolenShare: disturbance(),
    driverShare: performance.eventLoopUtilization(driver).utilization,
  }
}

async function typeUntilDeath(server, name, { rate, seconds, signal }) {
  const [editor, watcher] = await joinAll(name, server.port, 'mortal', 2, (client) => ({ client }))
  const story = { sent: 0, seen: 0, saved: 0, acks: new Histogram() }
  const typist = new Typist(editor.client.clientId)
  const dead = new Promise((resolve) => (watcher.client.onLost = resolve))
  editor.client.onLost = () => undefined
  editor.client.onSaved = (ms) => {
    story.saved++
    story.acks.add(ms)
  }
  watcher.client.onUpdate = (update) =>
    forEachTyped(update, (_client, from, to) => {
      if (from <= story.seen) story.seen = Math.max(story.seen, to)
    })

  const everyMs = 1000 / Number(rate)
  const { startAt } = rampUp([editor], everyMs)
  const type = () => editor.client.sendUpdate(typist.type())
  await act([editor], everyMs, startAt + WARM_UP_MS, type)
  story.acks.clear()
  await server.ask('delay')
  await act([editor], everyMs, startAt + Number(seconds) * 1000, type)
  story.loopP99Ms = (await server.ask('delay')).p99Ms
  story.sent = typist.clock
  // What was on its way to the watcher arrives before its connection's end.
  await Promise.all([server.kill(signal), dead])
  return story
}

/** The text of the document as a newcomer gets it, when nothing more comes. */
async function readAll(server, name) {
  const Client = await clientOf(name)
  const client = new Client(server.port, 'mortal', 1)
  const parts = []
  client.onUpdate = (update) => parts.push(update)
  parts.push(...(await client.join()))
  for (let count = -1; count !== parts.length;) {
    count = parts.length
    await settle(server)
  }
  client.close()
  return textOf(parts)
}

const show = (value, digits) => (value === undefined ? '–' : value.toFixed(digits))

export const columns = {
  sent: ({ sent }) => String(sent),
  seen: ({ seen }) => String(seen),
  'seen and gone': ({ lostSeen }) => String(lostSeen),
  'saved and gone': ({ lostSaved }) => show(lostSaved, 0),
  'ack p50 ms': ({ ackP50Ms }) => show(ackP50Ms, 2),
  'ack p99 ms': ({ ackP99Ms }) => show(ackP99Ms, 1),
  'fsync ms': ({ syncMs }) => show(syncMs, 2),
  'ack p50 / fsync': ({ ackPerSync }) => show(ackPerSync, 1),
  'synced echo ms': ({ echoMs }) => show(echoMs, 2),
  'ack p50 / echo': ({ ackPerEcho }) => show(ackPerEcho, 1),
  'saved/s': ({ savedPerSecond }) => show(savedPerSecond, 0),
  'entries per write': ({ entriesPerWrite }) => show(entriesPerWrite, 0),
  'bare LevelDB/s': ({ barePerSecond }) => show(barePerSecond, 0),
  'of bare': ({ ofBare }) => show(ofBare, 2),
  'loop p99 ms': ({ loopP99Ms }) => loopP99Ms.toFixed(0),
}
export const ratios = {}
