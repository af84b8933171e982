// `npm run bench:growth`: does a keystroke cost more in a large document than in an empty one?
//
// One server process with both documents on LevelDB; they are typed into by turns, so that both meet the same machine. The
// writer and two readers speak the wire over real sockets. Then the same without sockets: the way of an update through check, log and relay.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import * as Y from 'yjs'
import { acceptCosts } from './accept-path.mjs'
import { makeDocument, storeDocument, typeInto } from './documents.mjs'
import { levelStorage, NUMBER_OPTIONS } from './product.mjs'
import { median, printMachine, printTable, quantile } from './report.mjs'
import { startServerProcess } from './inside-server-process.mjs'
import { WireClient } from './inside-client.mjs'

const { values } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '10' },
    rounds: { type: 'string', default: '7' },
    keystrokes: { type: 'string', default: '2000' },
    profile: { type: 'boolean' },
  },
})
const bytes = Number(values.megabytes) * 1_000_000
const rounds = Number(values.rounds)
const keystrokes = Number(values.keystrokes)
/** Keystrokes on their way at one time: what sixteen people who type at once have, or one who holds a key down. */
const WINDOW = 16
const READERS = 2
/** Keystrokes of a round that wait for the one before, as a person's do. */
const TIMED = 100
/** No round of these folds a log: what is measured is the way of a keystroke, not the work that is put off. */
const NO_FOLDING = { compactAfterEntries: 10_000_000, compactAfterBytes: 1024 ** 3 }

printMachine()
const directory = await mkdtemp(join(tmpdir(), 'y-rooms-growth-'))
try {
  const kinds = await prepare()
  await overSockets(kinds)
  printTable(await acceptCosts(directory, kinds, { rounds, keystrokes, window: WINDOW, median }))
} finally {
  await rm(directory, { recursive: true, force: true })
}

/** Every kind of document, stored once for each purpose, with the keystrokes of a client that has it open. */
async function prepare() {
  const storage = levelStorage(directory)
  await storage.open()
  const kinds = []
  for (const [kind, history] of [
    ['empty', null],
    ['large, short history', 'short'],
    ['large, long history', 'long'],
  ]) {
    const doc = history === null ? new Y.Doc() : makeDocument(bytes, history)
    if (history === null) doc.getText('body').insert(0, 'The text that is typed into.')
    const update = Y.encodeStateAsUpdate(doc)
    const names = [`${kind}, over sockets`, `${kind}, in process`]
    let size = 0
    for (const name of names) size = await storeDocument(storage, name, update)
    kinds.push({ kind, size, keystrokes: typeInto(doc, keystrokes * (rounds + 1)) })
    doc.destroy()
  }
  await storage.close()
  return kinds
}

async function overSockets(kinds) {
  const profile = values.profile ? ['--cpu-prof', '--cpu-prof-dir=profiles'] : []
  const server = await startServerProcess(
    directory,
    { idleUnloadMs: 600_000, ...NO_FOLDING },
    profile,
  )
  const scenes = []
  for (const { kind, size, keystrokes: updates } of kinds)
    scenes.push(await enter(server, `${kind}, over sockets`, { kind, size, updates }))
  // The first round warms the machine code up and is not counted.
  for (let round = 0; round <= rounds; round++)
    for (const scene of scenes) {
      const cost = await typeRound(server, scene)
      if (round > 0) scene.costs.push(cost)
    }
  const [empty] = scenes
  console.log(`over sockets, medians of ${rounds} rounds of ${keystrokes} keystrokes\n`)
  printTable(scenes.map((scene) => row(scene, empty)))
  await foldingCosts(server, scenes)
  for (const { clients } of scenes) for (const client of clients) client.close()
  await server.close()
}

async function enter(server, name, { kind, size, updates }) {
  const writer = await WireClient.connect(server.url)
  const { document } = await writer.join(name, 777)
  const readers = []
  for (let index = 0; index < READERS; index++) {
    const reader = await WireClient.connect(server.url)
    await reader.join(name, 1000 + index)
    readers.push(reader)
  }
  return {
    kind,
    size,
    document,
    writer,
    readers,
    updates,
    clients: [writer, ...readers],
    costs: [],
    sent: 0,
    seq: 1,
  }
}

/** What is put off: folding rewrites the document. Its share in a keystroke follows from how rarely it is due. */
async function foldingCosts(server, scenes) {
  const rows = []
  for (const { kind, size } of scenes) {
    const before = await server.ask('cpu')
    await server.ask('compact', `${kind}, over sockets`)
    const cpu = (await server.ask('cpu')) - before
    // As src/document/compaction.ts decides for keystrokes, whose bytes are few.
    const entries = Math.max(NUMBER_OPTIONS.compactAfterEntries.default, Math.floor(size / 1024))
    rows.push({
      document: kind,
      'folding: cpu ms': (cpu / 1000).toFixed(0),
      'keystrokes between foldings': entries,
      'share of a keystroke, µs': (cpu / entries).toFixed(0),
    })
  }
  printTable(rows)
}

/** Some keystrokes one after the other, for the latency; then the rest with several on their way, for the cost. */
async function typeRound(server, scene) {
  const { writer, readers, document, updates } = scene
  const saved = []
  const shown = []
  const one = async (isTimed) => {
    const update = updates[scene.sent++]
    const startedAt = performance.now()
    const seen = isTimed ? untilSeen(readers[0], scene.seq + 1) : null
    const answer = await writer.ask('update', document, update)
    if (!answer.entry) throw new Error('a keystroke changed nothing')
    saved.push(performance.now() - startedAt)
    scene.seq = Math.max(scene.seq, answer.seq)
    if (seen !== null) shown.push((await seen) - startedAt)
  }
  for (let index = 0; index < TIMED; index++) await one(true)
  const allSeen = Promise.all(
    readers.map((reader) => untilSeen(reader, scene.seq + keystrokes - TIMED)),
  )
  const before = await server.ask('cpu')
  const lane = async () => {
    while (scene.sent % keystrokes !== 0) await one(false)
  }
  await Promise.all(Array.from({ length: WINDOW }, lane))
  await allSeen
  const cpu = ((await server.ask('cpu')) - before) / (keystrokes - TIMED)
  const oneByOne = saved.slice(0, TIMED)
  return {
    cpu,
    saved: median(oneByOne),
    savedP99: quantile(oneByOne, 0.99),
    shown: median(shown),
  }
}

function untilSeen(reader, seq) {
  return new Promise((resolve) => {
    const look = (_document, _from, to) => {
      if (to < seq) return
      reader.socket.off('update', look)
      resolve(performance.now())
    }
    reader.socket.on('update', look)
  })
}

function row({ kind, size, costs }, empty) {
  const of = (scene, field) => median(scene.map((cost) => cost[field]))
  const ratio = (field) => (of(costs, field) / of(empty.costs, field)).toFixed(2)
  return {
    document: kind,
    'snapshot bytes': size,
    'server µs per keystroke': of(costs, 'cpu').toFixed(0),
    'ratio of cpu': ratio('cpu'),
    'saved ms': of(costs, 'saved').toFixed(2),
    'saved p99 ms': of(costs, 'savedP99').toFixed(2),
    'shown ms': of(costs, 'shown').toFixed(2),
    'ratio of saved': ratio('saved'),
    'ratio of shown': ratio('shown'),
  }
}
