// The server that is killed: the built package on a real directory, with reports of what it is at.
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import express from 'express'
import { createDocumentServer, levelStorage } from 'y-rooms/server'
import { orderDeath, watchLevelAndWorkers, watchStorage } from './step-reports.ts'
import type { ServerHears, ServerSays, ServerSettings } from './steps.ts'

/** So little that tables are rewritten although the documents are small. */
const TABLE_WASTE_BYTES = 16 * 1024

const importMs = performance.now()
const settings = JSON.parse(process.argv[2] ?? '') as ServerSettings
const say = (said: ServerSays): boolean => process.stdout.write(`${JSON.stringify(said)}\n`)

watchLevelAndWorkers()
orderDeath(settings.death)

const ignore = (): void => undefined
const logger = {
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: (message: string, fields?: object) => {
    const { error } = (fields ?? {}) as { error?: unknown }
    say({ kind: 'error', message: `${message} ${JSON.stringify(fields)} ${String(error)}` })
  },
}
const documents = createDocumentServer({
  storage: watchStorage(
    levelStorage(settings.directory, { logger, tableWasteBytes: TABLE_WASTE_BYTES }),
  ),
  compactAfterEntries: settings.compactAfterEntries,
  compactAfterBytes: settings.compactAfterBytes,
  logger,
})
const app = express()
app.post('/compact/:name', (request, response) => {
  documents.compact(request.params.name).then(
    () => response.status(204).end(),
    () => response.status(503).end(),
  )
})
app.use(documents.router())

async function serve(port: number): Promise<Server> {
  const http = createServer(app)
  documents.attach(http)
  http.listen(port, '127.0.0.1')
  await once(http, 'listening')
  return http
}

const servers: Server[] = []

async function handle(heard: ServerHears): Promise<void> {
  if (heard.kind === 'die') orderDeath(heard.order)
  else {
    servers.push(await serve(settings.publicPort))
    say({ kind: 'listening' })
  }
}

process.on('SIGTERM', () => {
  void documents.close().then(() => {
    for (const http of servers) http.closeAllConnections()
    process.exit(0)
  })
})
const openedAt = performance.now()
await documents.ready()
const openMs = performance.now() - openedAt
const http = await serve(0)
servers.push(http)
const orders = createInterface(process.stdin)
orders.on('line', (line) => void handle(JSON.parse(line) as ServerHears))
// A campaign that was interrupted leaves no servers behind.
orders.on('close', () => process.exit(1))
say({ kind: 'ready', port: (http.address() as AddressInfo).port, importMs, openMs })
