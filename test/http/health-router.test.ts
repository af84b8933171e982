import express from 'express'
import { Counter, Registry, register } from 'prom-client'
import { expect, test } from 'vitest'
import { healthRouter } from '../../src/http/health-router.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { ask } from './http-client.ts'
import { serveApp } from './serve-app.ts'

async function setUp() {
  const registry = new Registry()
  const api = {
    notReadyReason: (): string | null => null,
    damagedDocuments: () => 0,
    metrics: registry,
  }
  const app = express()
  app.use(healthRouter(api, silentLogger))
  app.get('/theirs', (_request, response) => void response.send('theirs'))
  return { api, registry, url: await serveApp(app) }
}

test('[HTTP5] healthz says that the process answers, whatever the storage does', async () => {
  const { api, url } = await setUp()
  api.notReadyReason = () => 'the disk is full'
  const answer = await ask(url, '/healthz')
  expect([answer.status, answer.json]).toEqual([200, { status: 'ok' }])
  expect(answer.headers['cache-control']).toBe('no-store')
})

test('[HTTP5] readyz turns to 503 with the reason and back', async () => {
  const { api, url } = await setUp()
  expect((await ask(url, '/readyz')).status).toBe(200)
  api.notReadyReason = () => 'the disk is full'
  const answer = await ask(url, '/readyz')
  expect(answer.status).toBe(503)
  expect(answer.json).toEqual({ status: 'not-ready', message: 'the disk is full' })
  api.notReadyReason = () => null
  expect((await ask(url, '/readyz')).status).toBe(200)
})

test('metrics are those of the given registry, in Prometheus’ own type', async () => {
  const { registry, url } = await setUp()
  new Counter({ name: 'ours_total', help: 'ours', registers: [registry] }).inc(3)
  const answer = await ask(url, '/metrics')
  expect(answer.headers['content-type']).toBe(registry.contentType)
  expect(answer.body.toString()).toContain('ours_total 3')
  expect(register.getMetricsAsArray()).toEqual([])
})

test('leaves other paths to the app that it is mounted in', async () => {
  const { url } = await setUp()
  expect((await ask(url, '/theirs')).body.toString()).toBe('theirs')
  expect((await ask(url, '/healthz', { method: 'POST' })).status).toBe(405)
})
