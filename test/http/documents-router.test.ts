import express from 'express'
import { describe, expect, test } from 'vitest'
import { ERROR_CODES } from '../../protocol/index.ts'
import { DocumentError, StorageError } from '../../src/errors.ts'
import { documentsRouter } from '../../src/http/documents-router.ts'
import { problem } from '../../src/http/problem.ts'
import { silentLogger, type Logger } from '../../src/telemetry/logger.ts'
import { ask, type HttpQuestion } from './http-client.ts'
import { MemoryDocuments } from './memory-documents.ts'
import { systemClock } from '../../src/clock.ts'
import { serveApp } from './serve-app.ts'

const MAX_UPDATE_BYTES = 1000
const OCTETS = { 'Content-Type': 'application/octet-stream' }

async function setUp(logger: Logger = silentLogger) {
  const api = new MemoryDocuments()
  const app = express()
  app.use(
    '/api',
    documentsRouter(api, {
      allowedHosts: null,
      maxUpdateBytes: MAX_UPDATE_BYTES,
      attachments: null,
      maxAttachmentBytes: 0,
      maxHttpBodyBytes: 1_000_000,
      outboxStallMs: 30_000,
      httpRequestsPerMinute: 1_000_000,
      logger,
      clock: systemClock,
      handleLimitHit: () => undefined,
    }),
  )
  const url = await serveApp(app)
  return {
    api,
    ask: (path: string, question?: HttpQuestion) => ask(url, path, question),
    post: (path: string, body: string | Uint8Array, headers: Record<string, string> = OCTETS) =>
      ask(url, path, { method: 'POST', headers, body: Buffer.from(body) }),
  }
}

describe('reading a document', () => {
  test('[HTTP1] gives one update as octets, with the cursor in headers', async () => {
    const { api, ask } = await setUp()
    api.put('draft', 'Hello', ' world')
    const answer = await ask('/api/documents/draft')
    expect(answer.status).toBe(200)
    expect(answer.headers['content-type']).toBe('application/octet-stream')
    expect(answer.body.toString()).toBe('Hello world')
    expect(answer.headers['document-epoch']).toBe('e1')
    expect(answer.headers['document-seq']).toBe('2')
  })

  test('[HTTP1] gives its shared types as JSON when asked for JSON', async () => {
    const { api, ask } = await setUp()
    api.put('draft', 'Hello')
    const answer = await ask('/api/documents/draft', { headers: { Accept: 'application/json' } })
    expect(answer.headers['content-type']).toMatch(/^application\/json/)
    expect(answer.headers['vary']).toContain('Accept')
    expect(answer.json).toEqual({ body: 'Hello' })
  })

  test('refuses other types with 406 and a document that is not there with 404', async () => {
    const { api, ask } = await setUp()
    api.put('draft', 'Hello')
    const image = await ask('/api/documents/draft', { headers: { Accept: 'image/png' } })
    expect([image.status, image.json['code']]).toEqual([406, 'not-acceptable'])
    const missing = await ask('/api/documents/other')
    expect([missing.status, missing.json['code']]).toEqual([404, 'document-not-found'])
  })

  test('[HTTP1] answers 304 while nothing changed and 200 after a change', async () => {
    const { api, ask } = await setUp()
    api.put('draft', 'Hello')
    const first = await ask('/api/documents/draft')
    const headers = { 'If-None-Match': first.headers.etag ?? '' }
    expect((await ask('/api/documents/draft', { headers })).status).toBe(304)
    api.put('draft', 'Hello', ' world')
    expect((await ask('/api/documents/draft', { headers })).status).toBe(200)
  })
})

describe('document names', () => {
  const names = [
    'a/b',
    '../x',
    '..',
    '%',
    '%2F',
    'a b',
    '+',
    '?',
    '#',
    '__proto__',
    'ä𝄞',
    'updates',
  ]

  test.each(names)('T18 %s is itself, percent-encoded once', async (name) => {
    const { api, ask, post } = await setUp()
    const path = `/api/documents/${encodeURIComponent(name)}`
    expect((await post(`${path}/updates`, 'text')).status).toBe(200)
    expect([...api.documents.keys()]).toEqual([name])
    expect((await ask(path)).body.toString()).toBe('text')
    expect((await ask('/api/documents')).json).toEqual({ documents: [name], cursor: null })
    expect((await ask(path, { method: 'DELETE' })).status).toBe(204)
    expect(api.documents.size).toBe(0)
  })

  test('T18 the longest name is accepted, one byte more and control characters are not', async () => {
    const { post } = await setUp()
    expect((await post(`/api/documents/${'n'.repeat(512)}/updates`, 'x')).status).toBe(200)
    for (const name of ['n'.repeat(513), 'a%00b', 'a%0Ab']) {
      const answer = await post(`/api/documents/${name}/updates`, 'x')
      expect([answer.status, answer.json['code']]).toEqual([400, 'invalid-document-name'])
    }
  })

  test('a broken percent-encoding is the request’s fault', async () => {
    const { ask } = await setUp()
    for (const name of ['%zz', '%', '%ff']) {
      const answer = await ask(`/api/documents/${name}`)
      expect([answer.status, answer.json['code']]).toEqual([400, 'malformed-request'])
    }
  })
})

describe('listing', () => {
  test('[HTTP3] gives pages in byte order until the cursor is null', async () => {
    const { api, ask } = await setUp()
    for (const name of ['b', 'ä', 'a', 'c/1', 'c/2']) api.put(name, 'x')
    const seen: unknown[] = []
    let path = '/api/documents?limit=2'
    for (;;) {
      const { documents, cursor } = (await ask(path)).json
      seen.push(...(documents as string[]))
      if (cursor === null) break
      path = `/api/documents?limit=2&cursor=${encodeURIComponent(String(cursor))}`
    }
    expect(seen).toEqual(['a', 'b', 'c/1', 'c/2', 'ä'])
    expect((await ask('/api/documents?prefix=c%2F')).json['documents']).toEqual(['c/1', 'c/2'])
  })

  test.each(['0', '1001', '-1', '1.5', 'ten', '1e2', '99999999999'])(
    'limit=%s is out of range',
    async (limit) => {
      const { ask } = await setUp()
      const answer = await ask(`/api/documents?limit=${limit}`)
      expect(answer.status).toBe(400)
      expect(answer.json).toMatchObject({ code: 'invalid-parameter', retry: 'never' })
      expect(answer.json['message']).toBe(`parameter limit is "${limit}"; allowed are 1 to 1000`)
    },
  )

  test('refuses parameters that it does not know or that come twice', async () => {
    const { ask } = await setUp()
    for (const query of ['pefix=a', 'prefix=a&prefix=b']) {
      const answer = await ask(`/api/documents?${query}`)
      expect([answer.status, answer.json['code']]).toEqual([400, 'invalid-parameter'])
    }
  })

  test('[HTTP3] neither names nor cursors tell of documents that the requester may not read', async () => {
    const { api, ask } = await setUp()
    for (const name of ['a', 'secret-1', 'secret-2', 'secret-3', 'z']) api.put(name, 'x')
    for (const name of ['secret-1', 'secret-2', 'secret-3']) api.owners.set(name, 'ada')
    const first = await ask('/api/documents?limit=1')
    expect(first.json).toEqual({ documents: ['a'], cursor: 'a' })
    const second = await ask('/api/documents?limit=1&cursor=a')
    expect(second.json).toEqual({ documents: ['z'], cursor: 'z' })
    api.users.set('ada-token', { id: 'ada' })
    const own = await ask('/api/documents', { headers: { Authorization: 'Bearer ada-token' } })
    expect(own.json['documents']).toHaveLength(5)
  })
})

describe('applying an update', () => {
  test('[HTTP2] hands over the exact bytes and answers with the sequence number', async () => {
    const { api, post } = await setUp()
    const answer = await post('/api/documents/draft/updates', 'Hello')
    expect(answer.status).toBe(200)
    expect(answer.json).toEqual({ seq: 1 })
    const update = api.documents.get('draft')?.updates[0]
    expect(Buffer.from(update ?? []).toString()).toBe('Hello')
    // A view of Node's pool would keep eight kilobytes alive for five bytes.
    expect(update?.buffer.byteLength).toBe(5)
    expect(update).not.toBeInstanceOf(Buffer)
  })

  test('keeps the author that the bearer token means', async () => {
    const { api, post } = await setUp()
    api.users.set('t', { id: 'ada' })
    await post('/api/documents/draft/updates', 'x', { ...OCTETS, Authorization: 'Bearer t' })
    await post('/api/documents/draft/updates', 'y')
    expect(api.documents.get('draft')?.authors).toEqual(['ada', null])
  })

  test('[HTTP2] takes exactly the limit and refuses one byte more with 413, sized or chunked', async () => {
    const { api, ask, post } = await setUp()
    const path = '/api/documents/draft/updates'
    expect((await post(path, new Uint8Array(MAX_UPDATE_BYTES))).status).toBe(200)
    const tooLarge = Buffer.alloc(MAX_UPDATE_BYTES + 1)
    const chunked = { ...OCTETS, 'Transfer-Encoding': 'chunked' }
    for (const headers of [{ ...OCTETS, 'Content-Length': String(tooLarge.length) }, chunked]) {
      const answer = await ask(path, { method: 'POST', headers, body: tooLarge })
      expect([answer.status, answer.json['code']]).toEqual([413, 'update-too-large'])
      expect(answer.json['message']).toContain(String(MAX_UPDATE_BYTES))
    }
    expect(api.documents.get('draft')?.updates).toHaveLength(1)
  })

  test('refuses another content type with 415 and an empty body with 400', async () => {
    const { api, post } = await setUp()
    const path = '/api/documents/draft/updates'
    const json = await post(path, '{}', { 'Content-Type': 'application/json' })
    expect([json.status, json.json['code']]).toEqual([415, 'unsupported-media-type'])
    const empty = await post(path, '')
    expect([empty.status, empty.json['code']]).toEqual([400, 'malformed-update'])
    expect(api.documents.size).toBe(0)
  })
})

describe('access', () => {
  // Every route with the least access that it needs. [T50]
  const routes = [
    { method: 'GET', path: '/api/documents/draft', needs: 'read' },
    { method: 'HEAD', path: '/api/documents/draft', needs: 'read' },
    { method: 'POST', path: '/api/documents/draft/updates', needs: 'write' },
    { method: 'DELETE', path: '/api/documents/draft', needs: 'write' },
  ]

  test.each(routes)('T50 $method $path needs $needs', async ({ method, path, needs }) => {
    const { api, ask } = await setUp()
    api.put('draft', 'Hello')
    const question = {
      method,
      headers: OCTETS,
      ...(method === 'POST' && { body: Buffer.from('x') }),
    }
    api.readOnly.add('draft')
    expect((await ask(path, question)).status).toBe(needs === 'read' ? 200 : 403)
    api.owners.set('draft', 'ada')
    expect((await ask(path, question)).status).toBe(403)
    const stranger = { ...question, headers: { ...OCTETS, Authorization: 'Bearer forged' } }
    const refused = await ask(path, stranger)
    expect(refused.status).toBe(401)
    expect(refused.headers['www-authenticate']).toBe('Bearer')
    expect(api.text('draft')).toBe('Hello')
  })

  test('[HTTP3] whether a document exists is not told to those who may not read it', async () => {
    const { api, ask } = await setUp()
    api.put('here', 'x')
    for (const name of ['here', 'not-here']) api.owners.set(name, 'ada')
    const [here, gone] = [await ask('/api/documents/here'), await ask('/api/documents/not-here')]
    expect(here.status).toBe(403)
    expect(gone.json).toEqual(here.json)
  })
})

describe('errors', () => {
  test('[HTTP4] every code of the protocol has a status, and its retry class goes along', () => {
    for (const [code, retry] of Object.entries(ERROR_CODES)) {
      const fault = problem(code as keyof typeof ERROR_CODES, 'why')
      expect(fault).toMatchObject({ code, retry, message: 'why' })
      expect(fault.status, code).toBeGreaterThanOrEqual(400)
      expect(fault.title, code).not.toBe('Error')
    }
  })

  test('are problem details that no cache keeps', async () => {
    const { ask } = await setUp()
    const answer = await ask('/api/documents/none')
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
    expect(answer.headers['cache-control']).toBe('no-store')
    expect(answer.json).toEqual({
      title: 'Not Found',
      status: 404,
      code: 'document-not-found',
      retry: 'never',
      message: 'there is no such document',
    })
  })

  test('[HTTP4] a storage that fails is 503 with Retry-After, damage is 500, and neither names a path', async () => {
    const { api, ask } = await setUp()
    const fail = (error: Error) => {
      api.readUpdate = () => Promise.reject(error)
      return ask('/api/documents/draft')
    }
    const failed = await fail(new StorageError('storage-unavailable', 'EIO /secret/000042.ldb'))
    expect([failed.status, failed.json['code']]).toEqual([503, 'storage-unavailable'])
    expect(failed.headers['retry-after']).toBe('2')
    const damaged = await fail(new StorageError('record-damaged', 'crc of /secret/000042.ldb'))
    expect([damaged.status, damaged.json['code']]).toEqual([500, 'document-damaged'])
    const refused = await fail(new DocumentError('server-closing', 'the server is closing'))
    expect([refused.status, refused.json['code']]).toEqual([503, 'server-closing'])
    expect(failed.body.toString() + damaged.body.toString()).not.toContain('secret')
  })

  test('T55 a hook that throws costs one request, is logged, and its words stay here', async () => {
    const logged: unknown[] = []
    const { api, ask } = await setUp({
      ...silentLogger,
      error: (message, fields) => logged.push([message, fields?.['error']]),
    })
    const { authorizeRequest } = api
    const thrown = new Error('password=hunter2')
    api.authorizeRequest = () => Promise.reject(thrown)
    const answer = await ask('/api/documents')
    expect([answer.status, answer.json['code']]).toEqual([500, 'internal-error'])
    expect(answer.body.toString()).not.toContain('hunter2')
    expect(logged).toEqual([['an HTTP request failed', thrown]])
    api.authorizeRequest = authorizeRequest
    expect((await ask('/api/documents')).status).toBe(200)
  })

  test('a path that is not there is 404, a method that is not there is 405 with those that are', async () => {
    const { ask } = await setUp()
    const path = await ask('/api/documents/a/b/c')
    expect([path.status, path.json['code']]).toEqual([404, 'not-found'])
    const method = await ask('/api/documents/draft', { method: 'PUT' })
    expect([method.status, method.json['code']]).toEqual([405, 'method-not-allowed'])
    expect(method.headers.allow).toBe('GET, HEAD, DELETE')
  })
})
