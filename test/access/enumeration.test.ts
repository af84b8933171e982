import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Router } from 'express'
import { Server as SocketIOServer } from 'socket.io'
import { expect, onTestFinished, test } from 'vitest'
import { createDocumentServer, jwtAuthenticate, memoryStorage } from 'y-rooms/server'
import type { Refusal } from 'y-rooms/protocol'
import { AttachmentStore } from '../../src/attachments/attachment-store.ts'
import { CLIENT_EVENTS } from '../../src/connection/client-events.ts'
import { documentsRouter } from '../../src/http/documents-router.ts'
import { healthRouter } from '../../src/http/health-router.ts'
import { declaredAccess, type RouteAccess } from '../../src/http/route-access.ts'
import { standaloneApp } from '../../src/http/standalone-app.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { RawClient } from '../support/raw-client.ts'
import { makeTempDirectory } from '../support/temp-directory.ts'
import { systemClock } from '../../src/clock.ts'
import { accessServer, SECRET, token } from './access-scene.ts'

const code = (answer: unknown): string | undefined => (answer as Partial<Refusal>).code

test('T50 [REQ7] a socket listens to nothing but the events whose access is declared', async () => {
  const http = createServer()
  const host = new SocketIOServer(http)
  const documents = createDocumentServer({
    storage: memoryStorage(),
    authenticate: jwtAuthenticate({ secret: SECRET }),
    authorize: () => 'read',
  })
  documents.attach(host)
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    await documents.close()
    await host.close()
  })
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
  const client = await RawClient.connect(url, { token: await token({ now: Date.now }) })
  onTestFinished(() => client.close())
  const [socket] = host.of('/y-rooms').sockets.values()
  const own = new Set(['error', 'disconnect'])
  const heard = socket!.eventNames().filter((name) => !own.has(String(name)))
  expect(new Set(heard)).toEqual(new Set(Object.keys(CLIENT_EVENTS)))

  // Before the join nothing that needs a document is answered otherwise; as a reader, nothing that needs to write.
  const inTurn = Object.entries(CLIENT_EVENTS).sort(([name]) => (name === 'leave' ? 1 : -1))
  for (const [event, { needs }] of inTurn)
    if (needs !== 'admission')
      expect(code(await client.request(event, 1)), event).toBe('not-joined')
  const { document, access } = await client.join('draft', { clientId: 1 })
  expect(access).toBe('read')
  for (const [event, { needs }] of inTurn) {
    const refused = code(await client.request(event, document, 'x'))
    if (needs === 'write') expect(refused, event).toBe('read-only')
    else expect(refused, event).not.toBe('read-only')
  }
  expect(new Set(inTurn.map(([, { needs }]) => needs))).toEqual(
    new Set(['admission', 'read', 'write']),
  )
})

interface Route {
  readonly path: string
  readonly method: string
  readonly needs: RouteAccess | undefined
}

interface Layer {
  readonly name: string
  readonly method?: string
  readonly handle: object & { readonly stack?: readonly Layer[] }
  readonly route?: { readonly path: string; readonly stack: readonly Layer[] }
}

/** Every handler that answers a method on a path, with what the first one of them declares. */
function routesOf(stack: readonly Layer[]): Route[] {
  return stack.flatMap(({ route, handle }) => {
    if (route === undefined) return handle.stack === undefined ? [] : routesOf(handle.stack)
    // `all` answers the methods that are not there.
    const methods = new Set(
      route.stack.map(({ method }) => method).filter((name) => name !== undefined),
    )
    return [...methods].map((method) => ({
      path: route.path,
      method,
      needs: declaredAccess(route.stack.find((layer) => layer.method === method)!.handle),
    }))
  })
}

test('T50 [REQ7] every HTTP route declares the access it needs, and asks for it', async () => {
  const documents = documentsRouter({} as never, {
    allowedHosts: null,
    maxUpdateBytes: 1000,
    attachments: new AttachmentStore({ directory: '', maxBytesPerDocument: 0 }),
    maxAttachmentBytes: 1000,
    maxHttpBodyBytes: 1000,
    outboxStallMs: 1000,
    httpRequestsPerMinute: 1000,
    logger: silentLogger,
    clock: systemClock,
    handleLimitHit: () => undefined,
  })
  const health = healthRouter({} as never, silentLogger)
  const app = standaloneApp({ documents, health, examples: '/tmp', logger: silentLogger })
  const routes = routesOf((app.router as Router & { stack: Layer[] }).stack)
  expect(routes).toEqual([
    { path: '/documents', method: 'get', needs: 'user' },
    { path: '/documents/:name', method: 'get', needs: 'read' },
    { path: '/documents/:name', method: 'delete', needs: 'write' },
    { path: '/documents/:name/updates', method: 'post', needs: 'write' },
    { path: '/documents/:name/attachments', method: 'post', needs: 'write' },
    { path: '/documents/:name/attachments/:id', method: 'get', needs: 'read' },
    { path: '/healthz', method: 'get', needs: 'public' },
    { path: '/readyz', method: 'get', needs: 'public' },
    { path: '/metrics', method: 'get', needs: 'public' },
  ])
  // Nothing beside the routes answers but the files of the page.
  expect((app.router as Router & { stack: Layer[] }).stack.map(({ name }) => name)).toEqual([
    'helmetMiddleware',
    'router',
    'router',
    'serveStatic',
    'answerNotFound',
    '<anonymous>',
  ])

  const { clock, ask } = await accessServer({ attachmentsDirectory: await makeTempDirectory() })
  const allows = async (claim?: 'none' | 'read'): Promise<string | null> =>
    claim === undefined ? null : token(clock, { documents: { draft: claim } })
  for (const { path, method, needs } of routes.filter((route) => route.needs !== 'public')) {
    const status = async (claim?: 'none' | 'read'): Promise<number> =>
      (
        await ask(path.replace(':name', 'draft'), await allows(claim), {
          method: method.toUpperCase(),
        })
      ).status
    const title = `${method} ${path}`
    expect(await status(), title).toBe(401)
    if (needs === 'user') expect(await status('none'), title).toBe(200)
    else expect(await status('none'), title).toBe(403)
    if (needs === 'read') expect(await status('read'), title).toBe(404)
    if (needs === 'write') expect(await status('read'), title).toBe(403)
  }
})
