import { Histogram } from './histogram.mjs'
import { forEachTyped, Typist } from './keystrokes.mjs'
import { act, clientIdOf, clientOf, measureCost, rampUp, sleep } from './session.mjs'

const NEIGHBOUR = 'neighbour'
/** What was typed while the work went on may still be on its way. */
const LATE_MS = 200
const DRAIN_MS = 5000

/** Two people in a document of their own: one types, the other notes how late it arrives while the server is busy with something else. */
export async function openNeighbours(server, name, typeEveryMs) {
  const Client = await clientOf(name)
  const client = new Client(server.port, NEIGHBOUR, clientIdOf(50))
  const watcher = new Client(server.port, NEIGHBOUR, clientIdOf(51))
  await client.join()
  await watcher.join()
  const typist = new Typist(clientIdOf(50))
  const sentAt = []
  const shown = new Histogram()
  const saved = new Histogram()
  let seen = 0
  client.onSaved = (ms) => saved.add(ms)
  watcher.onUpdate = (update) => {
    const now = performance.now()
    forEachTyped(update, (_client, from, to) => {
      if (from > seen) return
      for (; seen < to; seen++) shown.add(now - sentAt[seen])
    })
  }
  const type = () => {
    sentAt.push(performance.now())
    client.sendUpdate(typist.type())
  }
  let isOver = false
  const editors = [{}]
  rampUp(editors, typeEveryMs)
  const typing = (async () => {
    while (!isOver) await act(editors, typeEveryMs, performance.now() + 100, type)
  })()
  return {
    /** What the work costs, and how late the neighbour's letters were meanwhile. */
    async during(work) {
      shown.clear()
      saved.clear()
      const cost = await measureCost(server, [], work)
      await sleep(LATE_MS)
      return {
        ...cost,
        shownP50Ms: shown.quantile(0.5),
        shownP99Ms: shown.quantile(0.99),
        shownMaxMs: shown.max,
        savedMaxMs: saved.max,
      }
    },
    /** Whether all has arrived. */
    async end() {
      isOver = true
      await typing
      for (let waited = 0; seen < sentAt.length && waited < DRAIN_MS; waited += 100)
        await sleep(100)
      client.close()
      watcher.close()
      return seen === sentAt.length
    },
  }
}
