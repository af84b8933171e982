import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { SocketIOProvider } from 'y-rooms/client'
import { makeTempDirectory } from '../support/temp-directory.ts'

const MAIN = fileURLToPath(new URL('../../examples/express-auth/main.mjs', import.meta.url))

async function startExample(): Promise<string> {
  const child = spawn(process.execPath, [MAIN], {
    env: { PATH: process.env['PATH'], PORT: '0', DATA_DIR: await makeTempDirectory() },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  onTestFinished(async () => {
    child.kill('SIGTERM')
    expect(await exited).toEqual([0, null])
  })
  const [line] = (await Promise.race([once(child.stdout, 'data'), exited])) as [Buffer]
  return /http:\S+/.exec(line.toString())![0]
}

async function logIn(url: string, id: string, password: string): Promise<string> {
  const answer = await fetch(`${url}/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ id, password }),
  })
  expect(answer.status).toBe(200)
  return answer.headers.getSetCookie()[0]!.split(';')[0]!
}

function open(url: string, name: string, cookie: string | null): SocketIOProvider {
  const provider = new SocketIOProvider(url, name, new Y.Doc(), {
    socketIo: { extraHeaders: cookie === null ? {} : { cookie } },
  })
  onTestFinished(() => provider.destroy())
  return provider
}

test('T55 [EMB8] an Express application with cookie sessions embeds y-rooms in about twenty lines', async () => {
  const source = readFileSync(MAIN, 'utf8')
  const embedded = source.slice(
    source.indexOf('begins here.'),
    source.indexOf('// --- and ends here.'),
  )
  expect(embedded.split('\n').length).toBeLessThanOrEqual(24)

  const url = await startExample()
  const [ada, bob] = [await logIn(url, 'ada', 'analytical'), await logIn(url, 'bob', 'builder')]

  const mine = open(url, 'ada/diary', ada)
  await mine.whenSynced
  mine.awareness.setLocalStateField('user', { name: 'Somebody else', color: 'red' })
  mine.doc.getText('body').insert(0, 'dear diary')
  await mine.whenSaved()
  expect(mine.authorizedScope).toBe('read-write')

  // The application's own routes, and the API under the same session.
  expect(await (await fetch(`${url}/me`, { headers: { cookie: ada } })).json()).toEqual({
    name: 'Ada Lovelace',
  })
  const read = (cookie: string): Promise<Response> =>
    fetch(`${url}/api/documents/ada%2Fdiary`, { headers: { cookie, accept: 'application/json' } })
  expect(await (await read(ada)).json()).toEqual({ body: 'dear diary' })
  expect((await read(bob)).status).toBe(403)
  expect((await read('session=0123456789abcdef0123456789abcdef')).status).toBe(401)

  await expect(open(url, 'ada/diary', bob).whenSynced).rejects.toMatchObject({ code: 'forbidden' })
  await expect(open(url, 'ada/diary', null).whenSynced).rejects.toMatchObject({
    code: 'unauthenticated',
  })
  const visitor = open(url, 'public/board', bob)
  await visitor.whenSynced
  expect(visitor.readOnly).toBe(true)

  const closed = new Promise((resolve) => mine.once('closed', resolve))
  expect((await fetch(`${url}/logout`, { method: 'POST', headers: { cookie: ada } })).status).toBe(
    204,
  )
  expect(await closed).toMatchObject({ code: 4403, reason: 'access-revoked' })
  expect(visitor.synced).toBe(true)
  expect((await read(ada)).status).toBe(401)
})
