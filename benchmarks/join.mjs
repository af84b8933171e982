// `npm run bench:join`: what a newcomer without a state costs the server: calls into CRDT code, counted, and processor time against bytes.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import * as Y from 'yjs'
import { makeDocument, storeDocument, typeInto } from './documents.mjs'
import { levelStorage } from './product.mjs'
import { median, printMachine, printTable } from './report.mjs'
import { startServerProcess } from './inside-server-process.mjs'
import { WireClient } from './inside-client.mjs'

const { values } = parseArgs({
  options: {
    sizes: { type: 'string', default: '100000,1000000,10000000' },
    joins: { type: 'string', default: '15' },
    tail: { type: 'string', default: '500' },
  },
})
const joins = Number(values.joins)
const tail = Number(values.tail)

printMachine()
const directory = await mkdtemp(join(tmpdir(), 'y-rooms-join-'))
try {
  const documents = await prepare()
  await countCalls(documents)
  await measureCost(documents)
} finally {
  await rm(directory, { recursive: true, force: true })
}

async function prepare() {
  const storage = levelStorage(directory)
  await storage.open()
  const documents = []
  for (const bytes of values.sizes.split(',').map(Number))
    for (const history of ['short', 'long']) {
      const doc = makeDocument(bytes, history)
      const before = Y.encodeStateAsUpdate(doc)
      const name = `${bytes} bytes, ${history} history`
      await storeDocument(storage, name, before)
      // The same with keystrokes since the last snapshot.
      const typed = typeInto(doc, tail)
      const withTail = `${name}, log of ${tail}`
      await storeDocument(storage, withTail, before)
      const { epoch } = await storage.head(withTail)
      const entries = typed.map((update) => ({ update, author: null, receivedAt: Date.now() }))
      await storage.append([{ name: withTail, epoch, entries }])
      documents.push({ name, history, expected: stateOf(before) })
      documents.push({ name: withTail, history, expected: stateOf(before, ...typed) })
      doc.destroy()
    }
  await storage.close()
  return documents
}

/** Loading delivers garbage fast, too: what arrived is compared with what was stored. */
function stateOf(...updates) {
  const doc = new Y.Doc()
  doc.transact(() => {
    for (const update of updates) Y.applyUpdate(doc, new Uint8Array(update))
  })
  return Y.snapshot(doc)
}

async function countCalls(documents) {
  const server = await startServerProcess(directory)
  await server.ask('startCounting')
  const rows = []
  for (const { name, expected } of documents) {
    const row = { document: name }
    for (const when of ['cold', 'warm', 'warm again']) {
      const client = await WireClient.connect(server.url)
      await server.ask('takeCalls')
      const parts = await client.load(name, 1)
      row[when] = summary(await server.ask('takeCalls'))
      if (!Y.equalSnapshots(stateOf(...parts), expected)) throw new Error(`${name} came wrong`)
      client.close()
    }
    rows.push(row)
  }
  await server.close()
  console.log('calls into Yjs, scan, merge, fold and worker threads during one join\n')
  printTable(rows)
}

function summary(calls) {
  const named = Object.entries(calls)
  if (named.length === 0) return 'none'
  const total = named.reduce((sum, [, count]) => sum + count, 0)
  const doors = /applyUpdate|mergeUpdatesV2|diffUpdate|Doc$|scanUpdate|mergeAsTree|run$/
  const told = named.filter(([name]) => doors.test(name)).map(([name, count]) => `${name} ${count}`)
  return `${total} (${told.slice(0, 4).join(', ')})`
}

async function measureCost(documents) {
  const server = await startServerProcess(directory, { idleUnloadMs: 600_000 })
  const costs = new Map(documents.map(({ name }) => [name, { cpu: [], ms: [], bytes: 0 }]))
  for (let round = 0; round < joins; round++)
    for (const { name } of documents) {
      const client = await WireClient.connect(server.url)
      const cost = costs.get(name)
      const before = await server.ask('cpu')
      const startedAt = performance.now()
      const parts = await client.load(name, 1)
      cost.ms.push(performance.now() - startedAt)
      cost.cpu.push((await server.ask('cpu')) - before)
      cost.bytes = parts.reduce((sum, part) => sum + part.byteLength, 0)
      client.close()
    }
  await server.close()
  console.log(`one join of a newcomer; the first is cold, the rest medians of ${joins - 1}\n`)
  printTable(
    [...costs].map(([name, { cpu, ms, bytes }]) => ({
      document: name,
      'bytes sent': bytes,
      'cold: server cpu ms': (cpu[0] / 1000).toFixed(1),
      'warm: server cpu ms': (median(cpu.slice(1)) / 1000).toFixed(2),
      'warm: ns per byte': ((median(cpu.slice(1)) * 1000) / bytes).toFixed(2),
      'warm: ms until complete': median(ms.slice(1)).toFixed(1),
    })),
  )
}
