import express from 'express'
import type { RunningServer } from './running-server.ts'

/** Serves `/readyz` and `/metrics`, and what else `app` has, beside the documents. */
export function serveHealth(server: RunningServer, app = express()): void {
  app.use(server.documents.healthRouter())
  const [sockets] = server.http.listeners('request')
  server.http.removeAllListeners('request')
  server.http.on('request', (request, response) => {
    if (request.url?.startsWith('/socket.io')) sockets?.call(server.http, request, response)
    else void app(request, response)
  })
}

export async function isReady({ url }: RunningServer): Promise<boolean> {
  return (await fetch(`${url}/readyz`)).status === 200
}

/** The value of a metric that has no labels. */
export async function metric({ url }: RunningServer, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const line = text.split('\n').find((one) => one.startsWith(`${name} `))
  if (line === undefined) throw new Error(`there is no metric ${name}`)
  return Number(line.slice(name.length))
}
