import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Router } from 'express'
import { expect, onTestFinished, test } from 'vitest'
import { standaloneApp } from '../../src/http/standalone-app.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { ask } from './http-client.ts'
import { serveApp } from './serve-app.ts'

async function setUp({ hasStartPage }: { hasStartPage: boolean }) {
  // Below a folder called assets, which must not make the page itself immutable.
  const directory = await mkdtemp(join(tmpdir(), 'y-rooms-app-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const startPage = join(directory, 'assets', 'start')
  await mkdir(join(startPage, 'assets'), { recursive: true })
  await writeFile(join(startPage, 'index.html'), '<!doctype html><title>start</title>')
  await writeFile(join(startPage, 'assets', 'main-0a1b.js'), 'void 0')
  await writeFile(join(startPage, '.secret'), 'secret')
  const documents = Router()
  documents.get('/boom', () => {
    throw new Error('boom')
  })
  const app = standaloneApp({
    documents,
    health: Router(),
    startPage: hasStartPage ? startPage : null,
    logger: silentLogger,
  })
  return serveApp(app)
}

test('serves the page fresh and its hashed parts for good', async () => {
  const url = await setUp({ hasStartPage: true })
  const page = await ask(url, '/')
  expect(page.status).toBe(200)
  expect(page.headers['content-type']).toMatch(/^text\/html/)
  expect(page.headers['cache-control']).toBe('no-cache')
  const script = await ask(url, '/assets/main-0a1b.js')
  expect(script.headers['cache-control']).toBe('public, max-age=31536000, immutable')
})

test('every answer carries the security headers and none says what it runs on', async () => {
  const url = await setUp({ hasStartPage: true })
  for (const path of ['/', '/assets/main-0a1b.js', '/api/boom', '/nothing']) {
    const { headers } = await ask(url, path)
    expect(headers['content-security-policy']).toContain(`default-src 'none';script-src 'self';`)
    expect(headers['x-content-type-options']).toBe('nosniff')
    expect(headers['x-frame-options']).toBe('DENY')
    expect(headers['referrer-policy']).toBe('no-referrer')
    expect(headers).not.toHaveProperty('x-powered-by')
  }
})

test('without the start page / is a plain 404', async () => {
  const url = await setUp({ hasStartPage: false })
  const answer = await ask(url, '/')
  expect(answer.status).toBe(404)
  expect(answer.json).toMatchObject({ status: 404, code: 'not-found' })
})

test('gives away nothing outside the page, and no stack', async () => {
  const url = await setUp({ hasStartPage: true })
  for (const path of ['/../../../etc/passwd', '/%2e%2e/%2e%2e/package.json', '/.secret', '/assets'])
    expect((await ask(url, path)).status, path).toBeGreaterThanOrEqual(400)
  const failed = await ask(url, '/api/boom')
  expect([failed.status, failed.json['code']]).toEqual([500, 'internal-error'])
  expect(failed.body.toString()).not.toMatch(/boom|\.ts/)
})
