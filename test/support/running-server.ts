import { createServer, type Server as HttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  createDocumentServer,
  levelStorage,
  type DocumentServer,
  type ServerOptions,
  type Storage,
} from 'y-rooms/server'
import { blockWebSocket } from './transport.ts'

export interface RunningServer {
  readonly url: string
  readonly documents: DocumentServer
  readonly http: HttpServer
  /** What the server logged as an error. */
  readonly errors: unknown[]
  close(): Promise<void>
}

/** A real document server on a real LevelDB directory and a loopback port. */
export async function startServer(
  storage: string | Storage,
  options: Omit<ServerOptions, 'storage'> = {},
  port = 0,
): Promise<RunningServer> {
  const errors: unknown[] = []
  const ignore = (): void => undefined
  const documents = createDocumentServer({
    logger: {
      debug: ignore,
      info: ignore,
      warn: ignore,
      error: (message, fields) => errors.push({ message, fields }),
    },
    storage: typeof storage === 'string' ? levelStorage(storage) : storage,
    ...options,
  })
  const http = createServer()
  documents.attach(http)
  blockWebSocket(http)
  await documents.ready()
  await new Promise<void>((resolve) => http.listen(port, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    documents,
    http,
    errors,
    async close() {
      await documents.close()
      http.closeAllConnections()
      await new Promise<void>((resolve) => http.close(() => resolve()))
    },
  }
}
