import { describe, expect, test } from 'vitest'
import { HELP, UsageError, parseCommandLine } from '../../src/command-line.ts'

const DEFAULTS = {
  port: 1234,
  host: '127.0.0.1',
  dataDirectory: './data',
  examples: true,
  durability: 'strict',
  acceptLoss: false,
  allowedOrigins: null,
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
      '--port 0 --host=127.1.2.3 --data /d --durability relaxed --accept-loss --no-examples'
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
    }
    expect(serveOptions([], environment)).toEqual({
      port: 81,
      host: '0.0.0.0',
      dataDirectory: '/e',
      examples: false,
      durability: 'relaxed',
      acceptLoss: true,
      allowedOrigins: ['https://a.example', 'https://b.example'],
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
    ['sreve', 'unknown command "sreve"; there is serve'],
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

test('help names every option with its variable and fits a terminal', () => {
  for (const option of ['port', 'host', 'data', 'durability', 'allowed-origin', 'allow-anonymous'])
    expect(HELP).toContain(`--${option}`)
  for (const variable of ['PORT', 'HOST', 'DATA_DIR', 'DURABILITY', 'ALLOWED_ORIGINS'])
    expect(HELP).toMatch(new RegExp(`\\b${variable}\\b`))
  expect(Math.max(...HELP.split('\n').map((line) => line.length))).toBeLessThanOrEqual(84)
})
