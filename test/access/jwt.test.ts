import { createHmac, generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { SignJWT, exportJWK, exportSPKI } from 'jose'
import { describe, expect, onTestFinished, test } from 'vitest'
import { jwtAuthenticate, type JwtOptions, type User } from 'y-rooms/server'
import { ManualClock } from '../support/manual-clock.ts'
import { SECRET, token, type TokenClaims } from './access-scene.ts'

const clock = new ManualClock()
const seconds = Math.floor(clock.now() / 1000)

async function ask(shown: unknown, options: Partial<JwtOptions> = {}): Promise<User | null> {
  const authenticate = jwtAuthenticate({ secret: SECRET, clock, ...options })
  return authenticate({ auth: { token: shown }, headers: {}, address: '127.0.0.1' })
}

const base64url = (value: object | string): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

describe('a shared secret', () => {
  test('[AUTH1] the token says who it is, until when, and what for', async () => {
    const documents = { 'drafts/*': 'write', '*': 'read' } as const
    expect(await ask(await token(clock, { name: 'Ada', documents }))).toEqual({
      id: 'ada',
      expiresAt: (seconds + 3600 + 5) * 1000,
      documents,
      presence: { name: 'Ada' },
    })
    expect(await ask(await token(clock, { documents: undefined }))).toEqual({
      id: 'ada',
      expiresAt: (seconds + 3600 + 5) * 1000,
    })
  })

  test('[AUTH1] issuer and audience, when they are configured', async () => {
    const shown = await token(clock, { iss: 'https://login.example', aud: ['docs', 'mail'] })
    expect(await ask(shown, { issuer: 'https://login.example', audience: 'docs' })).toMatchObject({
      id: 'ada',
    })
    expect(await ask(shown, { issuer: ['x', 'https://login.example'] })).toMatchObject({})
    for (const options of [{ issuer: 'https://other.example' }, { audience: 'billing' }])
      await expect(ask(shown, options)).rejects.toMatchObject({ code: 'unauthenticated' })
    for (const options of [{ issuer: 'https://login.example' }, { audience: 'docs' }])
      await expect(ask(await token(clock), options)).rejects.toMatchObject({
        code: 'unauthenticated',
      })
  })

  const refused: [string, TokenClaims][] = [
    ['without sub', { sub: undefined }],
    ['with an empty sub', { sub: '' }],
    ['without exp', { exp: undefined }],
    ['not valid yet', { nbf: seconds + 60 }],
    ['with documents of another form', { documents: { '*': 'admin' } }],
    ['with a list of documents', { documents: ['*'] }],
  ]
  test.each(refused)('[AUTH1] a token %s is refused', async (_what, claims) => {
    await expect(ask(await token(clock, claims))).rejects.toMatchObject({
      code: 'unauthenticated',
      retry: 'reauth',
    })
  })

  test('[AUTH1] an expired token says so; clocks may be five seconds apart', async () => {
    expect(await ask(await token(clock, { exp: seconds - 4 }))).toMatchObject({ id: 'ada' })
    await expect(ask(await token(clock, { exp: seconds - 6 }))).rejects.toMatchObject({
      code: 'token-expired',
      retry: 'reauth',
    })
  })

  test('[AUTH1] what is not signed with the secret and the algorithm is refused', async () => {
    const good = await token(clock)
    const [header, payload, signature] = good.split('.') as [string, string, string]
    const none = base64url({ alg: 'none' })
    const forged: unknown[] = [
      await token(clock, {}, { secret: 'another secret of thirty-two bytes or more' }),
      await token(clock, {}, { algorithm: 'HS512' }),
      `${none}.${payload}.`,
      `${none}.${payload}.${signature}`,
      `${header}.${base64url({ sub: 'eve', exp: seconds + 60 })}.${signature}`,
      `${header}.${payload}`,
      `${good}.x`,
      'x'.repeat(20_000),
      '',
      undefined,
      null,
      7,
      {},
      [good],
    ]
    for (const shown of forged)
      await expect(ask(shown), String(shown).slice(0, 40)).rejects.toMatchObject({
        code: 'unauthenticated',
      })
    expect(
      await ask(await token(clock, {}, { algorithm: 'HS512' }), { algorithms: ['HS512'] }),
    ).toMatchObject({ id: 'ada' })
  })
})

describe('a JWKS URL', () => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })

  async function keyServer() {
    let status = 200
    const key = { ...(await exportJWK(publicKey)), kid: 'first', alg: 'RS256', use: 'sig' }
    const server = createServer((_request, response) => {
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ keys: [key] }))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`
    return { url, fail: () => (status = 500) }
  }

  const signed = (kid = 'first'): Promise<string> =>
    new SignJWT({ sub: 'ada', exp: seconds + 60 })
      .setProtectedHeader({ alg: 'RS256', kid })
      .sign(privateKey)

  test('[AUTH1] its keys are taken, others are not, nor is a public key as a secret', async () => {
    const { url } = await keyServer()
    const authenticate = jwtAuthenticate({ jwksUrl: url, clock })
    const take = async (shown: string): Promise<User | null> =>
      authenticate({ auth: { token: shown }, headers: {}, address: '' })
    expect(await take(await signed())).toMatchObject({ id: 'ada' })
    const content = `${base64url({ alg: 'HS256', kid: 'first' })}.${base64url({ sub: 'eve', exp: seconds + 60 })}`
    const confused = createHmac('sha256', await exportSPKI(publicKey))
      .update(content)
      .digest()
    for (const shown of [
      await signed('second'),
      await token(clock),
      `${content}.${confused.toString('base64url')}`,
    ])
      await expect(take(shown)).rejects.toMatchObject({ code: 'unauthenticated' })
  })

  test('[AUTH1] a key server in trouble is not the fault of the token', async () => {
    const { url, fail } = await keyServer()
    fail()
    const shown = await signed()
    for (const jwksUrl of [url, 'http://127.0.0.1:1/keys']) {
      const error: unknown = await ask(shown, { secret: undefined, jwksUrl }).catch(
        (e: unknown) => e,
      )
      expect(error).toBeInstanceOf(Error)
      expect(error).not.toMatchObject({ code: 'unauthenticated' })
      expect(error).not.toHaveProperty('retry')
    }
  })
})

test('[OPT1] options that make no sense are refused by name', () => {
  const fault = (options: JwtOptions): unknown => {
    try {
      return jwtAuthenticate(options)
    } catch (error) {
      return (error as Error).message
    }
  }
  expect(fault({})).toContain('either secret or jwksUrl')
  expect(fault({ secret: SECRET, jwksUrl: 'https://a.example' })).toContain('either')
  expect(fault({ secret: 'short' })).toBe('option secret has 5 bytes; at least 32 are needed')
  expect(fault({ secret: SECRET, algorithms: ['RS256'] })).toContain(
    'option algorithms has "RS256"',
  )
  expect(fault({ secret: SECRET, algorithms: [] })).toContain('option algorithms')
  expect(fault({ jwksUrl: 'https://a.example', algorithms: ['HS256'] })).toContain('"HS256"')
  expect(fault({ jwksUrl: 'https://a.example', algorithms: ['none'] })).toContain('"none"')
  expect(fault({ jwksUrl: 'http://a.example' })).toContain('option jwksUrl is "http://a.example"')
  expect(fault({ secret: SECRET, clockToleranceSeconds: -1 })).toContain('clockToleranceSeconds')
})
