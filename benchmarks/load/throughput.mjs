import { measureBareLevel } from './bare-level.mjs'
import { Typist } from './keystrokes.mjs'
import { joinAll, sleep } from './session.mjs'

const CLIENTS = 10
const IN_FLIGHT = 64
const WARM_UP_MS = 1000

/**
 * Updates that y-rooms acknowledges in a second, when clients with a document each always have so many on their way; and what
 * LevelDB by itself writes in batches as large as those that came about.
 */
export async function measureThroughput(server, directory, seconds) {
  let saved = 0
  let isOver = false
  let bytes = 0
  const clients = await joinAll('y-rooms', server.port, CLIENTS, CLIENTS)
  for (const client of clients) {
    const typist = new Typist(client.clientId)
    const type = () => {
      const update = typist.type()
      bytes = update.length
      client.sendUpdate(update)
    }
    client.onSaved = () => {
      saved++
      if (!isOver) type()
    }
    for (let count = 0; count < IN_FLIGHT; count++) type()
  }
  await sleep(WARM_UP_MS)
  const before = { ...(await server.ask('writes')), saved, at: performance.now() }
  await sleep(seconds * 1000)
  const savedPerSecond = (saved - before.saved) / ((performance.now() - before.at) / 1000)
  const after = await server.ask('writes')
  isOver = true
  for (const client of clients) client.close()
  const entriesPerWrite = (after.entries - before.entries) / (after.writes - before.writes)
  const rows = Math.max(1, Math.round(entriesPerWrite))
  const barePerSecond = await measureBareLevel(directory, { rows, updateBytes: bytes, seconds })
  return { savedPerSecond, entriesPerWrite, barePerSecond, ofBare: savedPerSecond / barePerSecond }
}
