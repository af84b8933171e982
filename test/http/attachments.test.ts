import { createHash } from 'node:crypto'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import express from 'express'
import { expect, onTestFinished, test } from 'vitest'
import { createDocumentServer, levelStorage, type ServerOptions } from 'y-rooms/server'
import type { DocumentName } from '../../protocol/index.ts'
import { AttachmentStore } from '../../src/attachments/attachment-store.ts'
import { tempDirectory } from '../support/temp-directory.ts'
import { ask, type HttpAnswer } from './http-client.ts'

/** One red point. */
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==',
  'base64',
)
const idOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const sized = (bytes: number): Buffer => Buffer.concat([PNG, Buffer.alloc(bytes - PNG.length)])

async function scene(options: Partial<ServerOptions> = {}) {
  const directory = await tempDirectory()
  const attachments = join(directory, 'attachments')
  const errors: unknown[] = []
  const ignore = (): void => undefined
  const documents = createDocumentServer({
    storage: levelStorage(directory),
    attachmentsDirectory: attachments,
    maxAttachmentBytes: 4096,
    maxAttachmentBytesPerDocument: 10_000,
    logger: { debug: ignore, info: ignore, warn: ignore, error: (...args) => errors.push(args) },
    ...options,
  })
  const app = express()
  app.use('/api', documents.router())
  app.use(documents.healthRouter())
  const http = createServer(app)
  await documents.ready()
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    await documents.close()
    http.closeAllConnections()
    http.close()
  })
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
  const path = (name: string, id = ''): string =>
    `/api/documents/${encodeURIComponent(name)}/attachments${id && `/${id}`}`
  return {
    attachments,
    errors,
    get: (name: string, id: string, headers: Record<string, string> = {}): Promise<HttpAnswer> =>
      ask(url, path(name, id), { headers }),
    post: (name: string, body: Uint8Array, type = 'image/png'): Promise<HttpAnswer> =>
      ask(url, path(name), {
        method: 'POST',
        headers: type === '' ? {} : { 'Content-Type': type },
        body,
      }),
    delete: (name: string): Promise<HttpAnswer> =>
      ask(url, `/api/documents/${encodeURIComponent(name)}`, { method: 'DELETE' }),
    hits: async (): Promise<string[]> =>
      (await ask(url, '/metrics')).body
        .toString()
        .split('\n')
        .filter((line) => line.startsWith('y_rooms_limit_hits_total{')),
  }
}

const directoryOf = (attachments: string, name: string): string =>
  join(attachments, idOf(Buffer.from(name)))

test('[HTTP7] an image is given back as it was taken, as a picture and nothing else; the same one twice is one file', async () => {
  const { post, get, attachments } = await scene()
  const name = '../a/b?'
  const taken = await post(name, PNG, 'image/jpeg')
  expect([taken.status, taken.json]).toEqual([
    201,
    { id: idOf(PNG), type: 'image/png', bytes: PNG.length },
  ])
  expect((await post(name, PNG)).json).toEqual(taken.json)
  expect(await readdir(directoryOf(attachments, name))).toEqual([idOf(PNG)])
  const given = await get(name, idOf(PNG))
  expect([given.status, given.body.equals(PNG)]).toEqual([200, true])
  expect(given.headers).toMatchObject({
    'content-type': 'image/png',
    'x-content-type-options': 'nosniff',
    'content-security-policy': `default-src 'none'; sandbox`,
    'cache-control': 'private, max-age=31536000, immutable',
  })
  // Another document does not have it.
  expect((await get('other', idOf(PNG))).json).toMatchObject({
    status: 404,
    code: 'attachment-not-found',
  })
  for (const id of [
    'nothing',
    '..%2f..%2fLOCK',
    '%00',
    idOf(PNG).toUpperCase(),
    idOf(PNG).slice(1),
  ])
    expect((await get(name, id)).status, id).toBe(404)
})

test('[HTTP7] an image is acknowledged when every directory on the way to it is on the disk, at the second attempt as well', async () => {
  const above = await tempDirectory()
  const directory = join(above, 'made', 'attachments')
  const own = directoryOf(directory, 'draft')
  const synced: string[] = []
  let isBroken = true
  const store = new AttachmentStore({
    directory,
    maxBytesPerDocument: 10_000,
    syncDirectory: async (path) => {
      // Not before the file has its name.
      expect(await readdir(own)).toEqual([idOf(PNG)])
      if (isBroken && path === join(above, 'made')) throw new Error('the disk is gone')
      synced.push(path)
    },
  })
  const put = (): Promise<string> => store.put('draft' as DocumentName, PNG)
  await expect(put()).rejects.toMatchObject({ code: 'storage-unavailable' })
  isBroken = false
  synced.length = 0
  expect(await put()).toBe(idOf(PNG))
  expect(synced.slice(0, 4)).toEqual([own, directory, join(above, 'made'), above])
  expect(synced.at(-1)).toBe('/')
  // From now on only what may have changed.
  synced.length = 0
  await put()
  expect(synced).toEqual([own, directory])
})

test('[HTTP7] an image comes in parts and on conditions, as browsers ask for them', async () => {
  const { post, get } = await scene()
  const image = sized(4000)
  expect((await post('draft', image)).status).toBe(201)
  const whole = await get('draft', idOf(image))
  expect(whole.body.equals(image)).toBe(true)
  const part = await get('draft', idOf(image), { Range: 'bytes=1000-1999' })
  expect([part.status, part.body.equals(image.subarray(1000, 2000))]).toEqual([206, true])
  const same = await get('draft', idOf(image), { 'If-None-Match': String(whole.headers['etag']) })
  expect([same.status, same.body.length]).toEqual([304, 0])
})

test('[HTTP7] what is no image is refused, whatever it is called', async () => {
  const { post, attachments } = await scene()
  for (const content of [
    '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    '<!doctype html><script>alert(1)</script>',
    'GIF87',
    'RIFF1234WAVE',
    '',
  ]) {
    const refused = await post('draft', Buffer.from(content))
    expect(refused.json, content).toMatchObject({ status: 415, code: 'unsupported-media-type' })
  }
  // As a page of another site could send it, with the cookies of who looks at that page.
  for (const type of ['text/plain', 'multipart/form-data; boundary=x', ''])
    expect((await post('draft', PNG, type)).json, type).toMatchObject({ status: 415 })
  for (const content of [
    [0xff, 0xd8, 0xff, 0xe0],
    [...Buffer.from('GIF89a')],
    [...Buffer.from('RIFF\0\0\0\0WEBPVP8 ')],
  ])
    expect((await post('draft', Uint8Array.from(content))).status).toBe(201)
  expect(await readdir(directoryOf(attachments, 'draft'))).toHaveLength(3)
})

test('[HTTP7] one image, and those of a document together, are bounded, and the limit that was hit is counted', async () => {
  const { post, delete: remove, attachments, hits } = await scene()
  expect((await post('draft', sized(4097))).json).toMatchObject({
    status: 413,
    code: 'attachment-too-large',
  })
  for (const size of [4096, 4095]) expect((await post('draft', sized(size))).status).toBe(201)
  // At once, and only one of them fits.
  const both = await Promise.all([post('draft', sized(1800)), post('draft', sized(1700))])
  expect(both.map(({ status }) => status).sort((one, other) => one - other)).toEqual([201, 413])
  expect(both.find(({ status }) => status === 413)!.json).toMatchObject({
    code: 'document-too-large',
  })
  expect((await post('draft', sized(4096))).status).toBe(201)
  expect((await post('other', sized(4096))).status).toBe(201)
  expect(await hits()).toEqual([
    'y_rooms_limit_hits_total{limit="maxAttachmentBytes"} 1',
    'y_rooms_limit_hits_total{limit="maxAttachmentBytesPerDocument"} 1',
  ])
  expect((await remove('draft')).status).toBe(204)
  expect(await readdir(attachments)).toEqual([idOf(Buffer.from('other'))])
})

test('[HTTP7] what a dead process has left unfinished is no image, and goes with the next one', async () => {
  const { post, get, attachments } = await scene()
  const directory = directoryOf(attachments, 'draft')
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, 'left.partial'), Buffer.alloc(9999))
  expect((await get('draft', 'left.partial')).status).toBe(404)
  expect((await post('draft', PNG)).status).toBe(201)
  expect(await readdir(directory)).toEqual([idOf(PNG)])
})

test('[HTTP4] [HTTP7] a directory that cannot be written is `storage-unavailable`, and names no path', async () => {
  const { post, get, errors } = await scene({ attachmentsDirectory: '/dev/null/images' })
  for (const answer of [await post('draft', PNG), await get('draft', idOf(PNG))]) {
    expect(answer.json).toMatchObject({ status: 503, code: 'storage-unavailable' })
    expect(answer.body.toString()).not.toContain('/dev')
  }
  expect(errors).toHaveLength(2)
})

test('without a directory there are no such routes', async () => {
  const directory = await tempDirectory()
  const documents = createDocumentServer({ storage: levelStorage(directory) })
  onTestFinished(() => documents.close())
  const app = express().use('/api', documents.router())
  const http = createServer(app)
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void http.close())
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
  const answer = await ask(url, '/api/documents/draft/attachments', { method: 'POST', body: PNG })
  expect(answer.json).toMatchObject({ status: 404, code: 'not-found' })
})
