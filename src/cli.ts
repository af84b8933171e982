import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { constants } from 'node:os'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { HELP, parseCommandLine, type Command, type ServeOptions } from './command-line.ts'
import { standaloneApp } from './http/standalone-app.ts'
import {
  OptionError,
  createDocumentServer,
  jwtAuthenticate,
  levelStorage,
  type DocumentServer,
  type ServerOptions,
  type Storage,
} from './index.ts'
import { readSecret, type JwtSettings } from './jwt-settings.ts'
import { mintToken } from './token-command.ts'
import { UsageError } from './usage-error.ts'
import { lineLogger } from './telemetry/line-logger.ts'
import type { Logger } from './telemetry/logger.ts'

const EXIT_FAILURE = 1
const EXIT_USAGE = 2

/** An orderly stop that takes longer than this is stuck; process supervisors kill after 10 s or more. */
const STOP_TIMEOUT_MS = 9000

/**
 * Who sends the head of a request a byte at a time holds a connection: Node would let it for one and a half minutes. A body may
 * take Node's five minutes: 64 MiB come over a slow line.
 */
const HTTP_LIMITS = { headersTimeout: 10_000, connectionsCheckingInterval: 2000 } as const

/** After the documents were closed the storage and the connections are too, unless they hang. */
const LEAVE_TIMEOUT_MS = 1000

/** Built in the repository; the published package has none. */
const EXAMPLES = fileURLToPath(new URL('../examples', import.meta.url))
const PACKAGE = new URL('../../package.json', import.meta.url)

/** The command line program: does what the arguments say and sets the exit code. */
export async function runCli(args: readonly string[]): Promise<void> {
  // A log reader that went away must not take the documents with it.
  process.stdout.on('error', () => undefined)
  process.stderr.on('error', () => undefined)

  let command: Command
  try {
    command = parseCommandLine(args, process.env)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    fail(EXIT_USAGE, error)
    return
  }
  switch (command.kind) {
    case 'help':
      process.stdout.write(HELP)
      return
    case 'version':
      process.stdout.write(`${readVersion()}\n`)
      return
    case 'token':
      try {
        process.stdout.write(`${await mintToken(command.request, Date.now())}\n`)
      } catch (error) {
        fail(EXIT_USAGE, error)
      }
      return
    case 'serve':
      try {
        await serve(command.options)
      } catch (error) {
        fail(error instanceof UsageError ? EXIT_USAGE : EXIT_FAILURE, error)
        // Not left to the event loop, which a half-started server may keep busy.
        process.exit()
      }
  }
}

async function serve(options: ServeOptions): Promise<void> {
  const stopRequested = whenToldToStop()
  const log = new StartLog()
  const logger = lineLogger((line) => log.write(line), Date.now)
  const hooks = accessHooks(options.jwt)
  const storage = levelStorage(options.dataDirectory, {
    durability: options.durability,
    acceptLoss: options.acceptLoss,
    logger,
  })
  const documents = createDocumentServer({
    storage,
    logger,
    attachmentsDirectory: join(options.dataDirectory, 'attachments'),
    trustedProxies: options.trustedProxies,
    ...hooks,
    ...(options.isForThisMachine ? { allowedHosts: [] } : {}),
    ...(options.allowedOrigins === null ? {} : { allowedOrigins: options.allowedOrigins }),
  })
  const http = await Promise.race([start(documents, options, logger), stopRequested])
  // Told to stop while a disk that hangs kept it from starting: nobody was told anything yet.
  if (typeof http === 'string') return leave(storage)
  log.release()
  http.on('error', (error) => logger.error('the HTTP server failed', { error }))
  const url = urlOf(http.address() as AddressInfo, options.host)
  process.stdout.write(`y-rooms listening on ${url} (data in ${options.dataDirectory})\n`)

  const signal = await stopRequested
  logger.info('stopping', { signal })
  await stop(http, documents)
  await leave(storage)
}

/** Who may come and what they may do, as the command line says; before anything is opened. */
function accessHooks(jwt: JwtSettings | null): Pick<ServerOptions, 'authenticate' | 'authorize'> {
  if (jwt === null) return {}
  const { jwksUrl, algorithms, issuer, audience, defaultAccess } = jwt
  const secret = readSecret(jwt)
  try {
    return {
      authenticate: jwtAuthenticate({
        ...(secret === null ? {} : { secret }),
        ...(jwksUrl === null ? {} : { jwksUrl }),
        ...(algorithms.length === 0 ? {} : { algorithms }),
        ...(issuer === null ? {} : { issuer }),
        ...(audience === null ? {} : { audience }),
      }),
      // A token's own documents are looked at in any case, and can only allow less than this.
      authorize: (user) => (user?.documents === undefined ? defaultAccess : 'write'),
    }
  } catch (error) {
    if (!(error instanceof OptionError)) throw error
    throw new UsageError(`JWT ${error.message}`)
  }
}

/**
 * Ends the process, not left to the event loop: whatever the stop forgot would hold it back. Node waits at its exit for the
 * threads of its pool, for ever if one of them hangs in a call to the disk: then only a signal ends it.
 */
async function leave(storage: Storage): Promise<void> {
  const isClosed = await Promise.race([
    storage.close().then(
      () => true,
      () => true,
    ),
    pause(LEAVE_TIMEOUT_MS).then(() => false),
  ])
  if (!isClosed) {
    fail(EXIT_FAILURE, new Error('the disk does not answer; ending without waiting for it'))
    process.kill(process.pid, 'SIGKILL')
  }
  process.exit()
}

/**
 * Keeps the log back until the server runs. A start that fails says so in one line of its own, which
 * would drown in what its parts log about the same failure.
 */
class StartLog {
  #held: string[] | null = []

  write(line: string): void {
    if (this.#held === null) process.stderr.write(line)
    else this.#held.push(line)
  }

  release(): void {
    for (const line of this.#held ?? []) process.stderr.write(line)
    this.#held = null
  }
}

/** Opens the storage, then the port: whoever connects finds documents. */
async function start(
  documents: DocumentServer,
  options: ServeOptions,
  logger: Logger,
): Promise<Server> {
  try {
    await documents.ready()
    const app = standaloneApp({
      documents: documents.router(),
      health: documents.healthRouter(),
      examples: findExamples(options, logger),
      logger,
    })
    app.set('trust proxy', options.trustedProxies)
    const http = createServer(HTTP_LIMITS, app)
    // After the app: Socket.IO then takes its own requests out before Express sees them.
    documents.attach(http)
    await listen(http, options)
    return http
  } catch (error) {
    await documents.close()
    throw error
  }
}

/** Resolves at the first SIGTERM or SIGINT. The second one ends the process on the spot. */
function whenToldToStop(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let wasTold = false
    const handleSignal = (signal: NodeJS.Signals): void => {
      // 128 + number is how shells report a death by signal.
      if (wasTold) process.exit(128 + constants.signals[signal])
      wasTold = true
      resolve(signal)
    }
    process.on('SIGTERM', handleSignal)
    process.on('SIGINT', handleSignal)
  })
}

/** Stop accepting, flush and tell the peers, then cut what is left. */
async function stop(http: Server, documents: DocumentServer): Promise<void> {
  setTimeout(() => {
    fail(EXIT_FAILURE, new Error(`could not stop in order within ${STOP_TIMEOUT_MS / 1000} s`))
    process.exit()
  }, STOP_TIMEOUT_MS)
  const isClosed = once(http, 'close')
  http.close()
  await documents.close()
  http.closeAllConnections()
  // A WebSocket whose client reads nothing does not answer that it is closed, and Node does not count it as a connection.
  await Promise.race([isClosed, pause(LEAVE_TIMEOUT_MS)])
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

async function listen(http: Server, { port, host }: ServeOptions): Promise<void> {
  try {
    http.listen(port, host)
    // Rejects when the server emits `error` first.
    await once(http, 'listening')
  } catch (error) {
    throw new Error(listenFault(error, port, host), { cause: error })
  }
}

function listenFault(error: unknown, port: number, host: string): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  switch (code) {
    case 'EADDRINUSE':
      return `port ${port} on ${host} is in use by another program; choose another with --port`
    case 'EACCES':
      return `no permission to listen on port ${port} of ${host}; choose another with --port`
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `host ${host} is not an address of this machine; choose another with --host`
    default:
      return `cannot listen on port ${port} of ${host}: ${String(error)}`
  }
}

function urlOf({ address, family, port }: AddressInfo, host: string): string {
  if (host === 'localhost') return `http://localhost:${port}`
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
}

function findExamples({ examples }: ServeOptions, logger: Logger): string | null {
  if (!examples) return null
  if (existsSync(EXAMPLES)) return EXAMPLES
  logger.info('no examples here, / stays empty; they are in the repository: npm start')
  return null
}

/** One line on standard error, and the exit code for when the process ends. */
function fail(exitCode: number, error: unknown): void {
  const message = error instanceof Error ? error.message : String(error)
  process.stderr.write(`y-rooms: ${message.replace(/\s*[\r\n]+\s*/g, ' ')}\n`)
  process.exitCode = exitCode
}

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(PACKAGE, 'utf8'))
  if (typeof manifest === 'object' && manifest !== null && 'version' in manifest)
    return String(manifest.version)
  throw new Error('package.json has no version')
}
