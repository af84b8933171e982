import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SignJWT } from 'jose'
import { expect, test } from 'vitest'
import { RawClient } from '../support/raw-client.ts'
import { CliProcess, runToEnd, temporaryDirectory } from './cli-process.ts'

const SECRET = 'a secret of thirty-two bytes, or more'

test('[AUTH1] a server on every address lets in who shows a minted token, and nobody else', async () => {
  const directory = await temporaryDirectory()
  const environment = { JWT_SECRET: SECRET, JWT_AUDIENCE: 'docs' }
  const args = ['serve', '--port', '0', '--host', '0.0.0.0', '--data', directory, '--no-examples']
  const server = new CliProcess(args, environment)
  const url = (await server.whenListening()).replace('0.0.0.0', '127.0.0.1')
  const mint = async (line: string, env: Record<string, string> = environment): Promise<string> => {
    const { exit, stdout, stderr } = await runToEnd(['token', ...line.split(' ')], env)
    expect([exit, stderr]).toEqual([0, ''])
    return stdout.trim()
  }
  const token = await mint('--user ada --name Ada --document drafts/*=write')
  const client = await RawClient.connect(url, { token })
  expect(await client.join('drafts/a', { clientId: 1 })).toMatchObject({ access: 'write' })
  expect(await client.tryJoin('other', { clientId: 1 })).toMatchObject({ code: 'forbidden' })
  client.close()
  const list = (shown?: string): Promise<Response> =>
    fetch(
      `${url}/api/documents`,
      shown === undefined ? {} : { headers: { authorization: `Bearer ${shown}` } },
    )
  expect((await list(token)).status).toBe(200)
  expect((await list()).status).toBe(401)
  await expect(RawClient.connect(url)).rejects.toMatchObject({ data: { code: 'unauthenticated' } })
  const others: Record<string, string>[] = [
    { JWT_SECRET: 'another secret of thirty-two bytes or more', JWT_AUDIENCE: 'docs' },
    { JWT_SECRET: SECRET },
  ]
  for (const wrong of others) expect((await list(await mint('--user ada', wrong))).status).toBe(401)
  server.process.kill('SIGTERM')
  expect(await server.whenExited()).toBe(0)
})

test('the secret of a file, whose last line break does not count', async () => {
  const directory = await temporaryDirectory()
  const path = join(directory, 'secret')
  await writeFile(path, `${SECRET}\n`)
  const server = new CliProcess([
    'serve',
    '--port',
    '0',
    '--data',
    join(directory, 'data'),
    '--jwt-secret-file',
    path,
    '--jwt-default-access',
    'read',
  ])
  const url = await server.whenListening()
  const token = await new SignJWT({ sub: 'ada' })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1m')
    .sign(new TextEncoder().encode(SECRET))
  const client = await RawClient.connect(url, { token })
  // The token says nothing of documents.
  expect(await client.join('a', { clientId: 1 })).toMatchObject({ access: 'read' })
  client.close()
})

test('a key that cannot be used ends the start with 2 and one line', async () => {
  const start = (environment: Record<string, string>, ...args: string[]) =>
    runToEnd(['serve', '--port', '0', ...args], environment)
  for (const [environment, message] of [
    [{ JWT_SECRET: 'short' }, 'JWT option secret has 5 bytes; at least 32 are needed'],
    [{ JWT_SECRET: SECRET, JWT_ALGORITHMS: 'RS256' }, 'JWT option algorithms has "RS256"'],
    [{ JWT_JWKS_URL: 'http://a.example/keys' }, 'JWT option jwksUrl is "http://a.example/keys"'],
    [{ JWT_SECRET_FILE: '/no/such/file' }, 'cannot read /no/such/file (ENOENT)'],
  ] as const) {
    const { exit, stdout, stderr } = await start(environment)
    expect([exit, stdout]).toEqual([2, ''])
    expect(stderr).toContain(message)
    expect(stderr.trim().split('\n')).toHaveLength(1)
  }
  expect(await runToEnd(['token', '--user', 'ada'], { JWT_SECRET: 'short' })).toMatchObject({
    exit: 2,
  })
})
