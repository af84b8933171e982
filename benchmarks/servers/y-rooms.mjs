import express from 'express'
import { createServer } from 'node:http'
import { createDocumentServer, levelStorage } from '../product.mjs'

export async function start({ directory, options = {} }) {
  const storage = levelStorage(directory)
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
