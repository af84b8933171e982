import express from 'express'
import { createServer } from 'node:http'
import { createDocumentServer, levelStorage, NUMBER_OPTIONS } from '../product.mjs'

/** The driver is one address, and at times one client, for thousands: what holds back a single stranger would be all that is measured. */
const WITHOUT_RATES = Object.fromEntries(
  ['maxConnectionsPerAddress', 'updatesPerSecond', 'bytesPerSecond', 'presencePerSecond'].map(
    (name) => [name, NUMBER_OPTIONS[name].max],
  ),
)

export async function start({ directory, options: { durability, ...options } = {} }) {
  const storage = levelStorage(directory, durability === undefined ? {} : { durability })
  const count = { writes: 0, entries: 0 }
  const append = storage.append.bind(storage)
  storage.append = (batch) => {
    count.writes++
    for (const { entries } of batch) count.entries += entries.length
    return append(batch)
  }
  const documents = createDocumentServer({
    storage,
    logger: { debug() {}, info() {}, warn: console.warn, error: console.error },
    ...WITHOUT_RATES,
    ...options,
  })
  const http = createServer(express().use('/api', documents.router()))
  documents.attach(http)
  await documents.ready()
  await new Promise((resolve) => http.listen(0, '127.0.0.1', resolve))
  return {
    port: http.address().port,
    /** How often the log was written, and how many entries. */
    writes: () => count,
    compact: (document) => documents.compact(document),
    async close() {
      await documents.close()
      http.closeAllConnections()
      await new Promise((resolve) => http.close(resolve))
    },
  }
}
