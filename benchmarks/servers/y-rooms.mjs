import { createServer } from 'node:http'
import { createDocumentServer, levelStorage } from '../product.mjs'

export async function start({ directory, options = {} }) {
  const documents = createDocumentServer({
    storage: levelStorage(directory),
    logger: { debug() {}, info() {}, warn: console.warn, error: console.error },
    ...options,
  })
  const http = createServer()
  documents.attach(http)
  await documents.ready()
  await new Promise((resolve) => http.listen(0, '127.0.0.1', resolve))
  return {
    port: http.address().port,
    compact: (document) => documents.compact(document),
    async close() {
      await documents.close()
      http.closeAllConnections()
      await new Promise((resolve) => http.close(resolve))
    },
  }
}
