import { describe, expect, test } from 'vitest'
import { HELP, parseCommandLine } from '../../src/command-line.ts'
import { UsageError } from '../../src/usage-error.ts'

const DEFAULTS = {
  port: 1234,
  host: '127.0.0.1',
  dataDirectory: './data',
  examples: true,
  durability: 'strict',
  acceptLoss: false,
  allowedOrigins: null,
  isForThisMachine: true,
  trustedProxies: 0,
  jwt: null,
}

function serveOptions(args: string[], environment: Record<string, string> = {}) {
  const command = parseCommandLine(['serve', ...args], environment)
  if (command.kind !== 'serve') throw new Error(`not serve but ${command.kind}`)
  return command.options
}

function faultOf(args: string[], environment: Record<string, string> = {}): string {
  try {
    parseCommandLine(args, environment)
  } catch (error) {
    if (error instanceof UsageError) return error.message
    throw error
  }
  throw new Error(`accepted: ${args.join(' ')}`)
}

describe('serve', () => {
  test('has the defaults that the contract names', () => {
    expect(serveOptions([])).toEqual(DEFAULTS)
  })

  test('takes every option from the command line', () => {
    const args =
      '--port 0 --host=127.1.2.3 --data /d --durability relaxed --accept-loss --no-examples --trusted-proxies 2'
    const origins = [
      '--allowed-origin',
      'https://a.example',
      '--allowed-origin=http://b.example:81',
    ]
    expect(serveOptions([...args.split(' '), ...origins])).toEqual({
      port: 0,
      host: '127.1.2.3',
      dataDirectory: '/d',
      examples: false,
      durability: 'relaxed',
      acceptLoss: true,
      allowedOrigins: ['https://a.example', 'http://b.example:81'],
      isForThisMachine: true,
      trustedProxies: 2,
      jwt: null,
    })
  })

  test('takes every option from the environment, and the command line wins', () => {
    const environment = {
      PORT: '81',
      HOST: '0.0.0.0',
      DATA_DIR: '/e',
      DURABILITY: 'relaxed',
      ACCEPT_LOSS: '1',
      NO_EXAMPLES: '1',
      ALLOW_ANONYMOUS: 'true',
      ALLOWED_ORIGINS: 'https://a.example, https://b.example',
      TRUSTED_PROXIES: '1',
    }
    expect(serveOptions([], environment)).toEqual({
      port: 81,
      host: '0.0.0.0',
      dataDirectory: '/e',
      examples: false,
      durability: 'relaxed',
      acceptLoss: true,
      allowedOrigins: ['https://a.example', 'https://b.example'],
      trustedProxies: 1,
      isForThisMachine: false,
      jwt: null,
    })
    const args = '--port 82 --host ::1 --data /f --durability strict --allowed-origin *'
    expect(serveOptions(args.split(' '), environment)).toMatchObject({
      port: 82,
      host: '::1',
      dataDirectory: '/f',
      durability: 'strict',
      allowedOrigins: '*',
    })
  })

  test('takes empty variables as not set and 0 as off', () => {
    const environment = { PORT: '', HOST: '', DATA_DIR: '', NO_EXAMPLES: '0', ALLOWED_ORIGINS: '' }
    expect(serveOptions([], environment)).toEqual(DEFAULTS)
  })

  test('the last of repeated options counts', () => {
    expect(serveOptions(['--port', '1', '--port', '2']).port).toBe(2)
  })

  test.each([
    '0.0.0.0',
    '::',
    '192.168.1.5',
    'example.com',
    '127.0.0.1.example.com',
    '::ffff:1.2.3.4',
  ])('refuses host %s unless anonymous access is meant', (host) => {
    expect(faultOf(['serve', '--host', host])).toContain('--allow-anonymous')
    expect(faultOf(['serve'], { HOST: host })).toContain(host)
    expect(serveOptions(['--host', host, '--allow-anonymous']).host).toBe(host)
  })
})

describe('tokens', () => {
  const NONE = {
    secret: null,
    secretFile: null,
    jwksUrl: null,
    algorithms: [],
    issuer: null,
    audience: null,
    defaultAccess: 'none',
  }

  test('every setting from the command line and from the environment, which it wins over', () => {
    const args =
      '--jwt-secret-file /s --jwt-algorithm HS512 --jwt-algorithm HS256 --jwt-issuer i ' +
      '--jwt-audience a --jwt-default-access read'
    const settings = {
      secret: null,
      secretFile: '/s',
      jwksUrl: null,
      algorithms: ['HS512', 'HS256'],
      issuer: 'i',
      audience: 'a',
      defaultAccess: 'read',
    }
    expect(serveOptions(args.split(' ')).jwt).toEqual(settings)
    const environment = {
      JWT_SECRET_FILE: '/s',
      JWT_ALGORITHMS: 'HS512, HS256',
      JWT_ISSUER: 'i',
      JWT_AUDIENCE: 'a',
      JWT_DEFAULT_ACCESS: 'read',
    }
    expect(serveOptions([], environment).jwt).toEqual(settings)
    expect(serveOptions(args.split(' '), { JWT_SECRET: 'x', JWT_ISSUER: 'y' }).jwt).toEqual(
      settings,
    )
    expect(serveOptions([], { JWT_SECRET: 'x' }).jwt).toEqual({ ...NONE, secret: 'x' })
    const url = 'https://login.example/keys'
    expect(serveOptions(['--jwt-jwks-url', url]).jwt).toEqual({ ...NONE, jwksUrl: url })
    expect(serveOptions([], { JWT_SECRET: '', JWT_JWKS_URL: url }).jwt?.jwksUrl).toBe(url)
  })

  test('open the door to other machines, and are no half measure', () => {
    expect(serveOptions(['--host', '0.0.0.0'], { JWT_SECRET: 'x' }).host).toBe('0.0.0.0')
    expect(faultOf(['serve', '--allow-anonymous'], { JWT_SECRET: 'x' })).toContain('contradict')
    expect(faultOf(['serve'], { JWT_SECRET: 'x', JWT_JWKS_URL: 'https://a.example' })).toContain(
      'one key',
    )
    for (const name of ['JWT_ISSUER', 'JWT_AUDIENCE', 'JWT_ALGORITHMS', 'JWT_DEFAULT_ACCESS'])
      expect(faultOf(['serve'], { [name]: 'read' })).toContain('not checked without a key')
    expect(faultOf(['serve', '--jwt-default-access', 'all'], { JWT_SECRET: 'x' })).toContain(
      '"all"',
    )
  })

  test('are minted by y-rooms token', () => {
    const request = (line: string): unknown => {
      const command = parseCommandLine(['token', ...line.split(' ')], { JWT_SECRET: 'x' })
      return command.kind === 'token' ? command.request : command
    }
    expect(request('--user ada')).toEqual({
      jwt: { ...NONE, secret: 'x' },
      user: 'ada',
      name: null,
      documents: { '*': 'write' },
      expiresInSeconds: 43_200,
    })
    expect(
      request('--user ada --name Ada --document drafts/*=write --document a=b=read --expires 90s'),
    ).toMatchObject({
      name: 'Ada',
      documents: { 'drafts/*': 'write', 'a=b': 'read' },
      expiresInSeconds: 90,
    })
    const wrong: [string, string][] = [
      ['token', 'needs --user'],
      ['token --user ada --expires soon', 'option --expires is "soon"'],
      ['token --user ada --expires 0h', 'option --expires is "0h"'],
      ['token --user ada --document a', 'option --document is "a"'],
      ['token --user ada --document a=all', 'option --document is "a=all"'],
      ['token --user ada --port 1', 'option --port is none of y-rooms token'],
      ['serve --user ada', 'option --user is none of y-rooms serve'],
    ]
    for (const [line, message] of wrong)
      expect(faultOf(line.split(' '), { JWT_SECRET: 'x' })).toContain(message)
    expect(faultOf(['token', '--user', 'ada'])).toContain('give JWT_SECRET')
  })
})

describe('what is wrong is named', () => {
  const faults: [string, string][] = [
    ['serve --prot 1', 'unknown option --prot'],
    ['serve -x', 'unknown option -x'],
    ['serve --__proto__ 1', 'unknown option --__proto__'],
    ['serve --port', 'option --port needs a value'],
    ['serve --port --host ::1', 'option --port needs a value'],
    ['serve --port=', 'option --port is ""; allowed are 0 to 65535'],
    ['serve --port 65536', 'option --port is "65536"; allowed are 0 to 65535'],
    ['serve --port -1', 'option --port is "-1"; allowed are 0 to 65535'],
    ['serve --port 1e3', 'option --port is "1e3"; allowed are 0 to 65535'],
    ['serve --port 0x10', 'option --port is "0x10"; allowed are 0 to 65535'],
    ['serve --data=', 'option --data is empty'],
    ['serve --durability fast', 'option --durability is "fast"; allowed are strict and relaxed'],
    ['serve --no-examples=yes', 'option --no-examples takes no value, but got "yes"'],
    ['serve now', 'unexpected argument "now"'],
    ['sreve', 'unknown command "sreve"; there are serve and token'],
    ['--port 1', 'option --port needs a command before it: y-rooms serve'],
  ]

  test.each(faults)('y-rooms %s', (line, message) => {
    expect(faultOf(line.split(' '))).toBe(message)
  })

  test.each([
    'app.example.com',
    'https://a.example/',
    'https://a.example/x',
    'ftp://a.example',
    'null',
  ])('origin %s', (origin) => {
    expect(faultOf(['serve', '--allowed-origin', origin])).toContain(JSON.stringify(origin))
    expect(faultOf(['serve'], { ALLOWED_ORIGINS: origin })).toMatch(/^ALLOWED_ORIGINS is /)
  })

  test('a variable by its own name', () => {
    expect(faultOf(['serve'], { PORT: 'http' })).toBe('PORT is "http"; allowed are 0 to 65535')
    expect(faultOf(['serve'], { NO_EXAMPLES: 'maybe' })).toMatch(/^NO_EXAMPLES is "maybe"/)
  })
})

test('without a command, and with --help or -h anywhere, it is help', () => {
  for (const args of [[], ['--help'], ['-h'], ['serve', '--port', 'x', '--help']])
    expect(parseCommandLine(args, {})).toEqual({ kind: 'help' })
  for (const args of [['--version'], ['-v'], ['serve', '-v']])
    expect(parseCommandLine(args, {})).toEqual({ kind: 'version' })
})

test.each(['-1', '11', '1.5', 'one', ''])('%j trusted proxies are refused', (count) => {
  expect(faultOf(['serve', `--trusted-proxies=${count}`])).toContain('allowed are 0 to 10')
})

test('help names every option with its variable and fits a terminal', () => {
  const serving = ['port', 'host', 'data', 'durability', 'allowed-origin', 'trusted-proxies', 'allow-anonymous'] // prettier-ignore
  const tokens = ['secret-file', 'jwks-url', 'algorithm', 'issuer', 'audience', 'default-access']
  const minting = ['user', 'name', 'document', 'expires']
  for (const option of [...serving, ...tokens.map((name) => `jwt-${name}`), ...minting])
    expect(HELP).toContain(`--${option}`)
  const variables = tokens.map((name) => `JWT_${name.toUpperCase().replace('-', '_')}`)
  variables[2] = 'JWT_ALGORITHMS'
  for (const variable of [
    'PORT',
    'HOST',
    'DATA_DIR',
    'DURABILITY',
    'ALLOWED_ORIGINS',
    ...variables,
  ])
    expect(HELP).toMatch(new RegExp(`\\b${variable}\\b`))
  expect(Math.max(...HELP.split('\n').map((line) => line.length))).toBeLessThanOrEqual(84)
})
