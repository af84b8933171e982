import { parseArgs, type ParseArgsConfig } from 'node:util'
import { readJwtSettings, type JwtSettings } from './jwt-settings.ts'
import { readDuration, readPatterns, type TokenRequest } from './token-command.ts'
import { UsageError } from './usage-error.ts'

/** What the user asked for; every value is checked. */
export type Command =
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'serve'; readonly options: ServeOptions }
  | { readonly kind: 'token'; readonly request: TokenRequest }

export interface ServeOptions {
  readonly port: number
  readonly host: string
  readonly dataDirectory: string
  readonly examples: boolean
  readonly durability: 'strict' | 'relaxed'
  readonly acceptLoss: boolean
  /** Null: the server's default, which is the page's own host. */
  readonly allowedOrigins: readonly string[] | '*' | null
  /** There is no authentication, and nobody said that there need be none: only names of this machine are answered. */
  readonly isForThisMachine: boolean
  /** Reverse proxies in front of this server, whose `X-Forwarded-For` is believed. */
  readonly trustedProxies: number
  /** Null: everybody is let in, without a name. */
  readonly jwt: JwtSettings | null
}

export const HELP = `Usage: y-rooms serve [options]
       y-rooms token --user <id> [options]

serve
Serves collaborative documents over Socket.IO and keeps them in LevelDB.

Options                                                            Environment
  --port <number>          0 picks a free one; default 1234        PORT
  --host <address>         default 127.0.0.1                       HOST
  --data <directory>       default ./data                          DATA_DIR
  --durability <mode>      strict (default): saved means on disk;  DURABILITY
                           relaxed: survives a killed process,
                           not a power cut
  --accept-loss            open a damaged database without what    ACCEPT_LOSS=1
                           cannot be read; restore a backup first
  --allowed-origin <url>   a web origin whose pages may connect,   ALLOWED_ORIGINS
                           besides this server's own; repeat it,   (comma-separated)
                           or give * for every origin
  --trusted-proxies <n>    so many reverse proxies are in front,   TRUSTED_PROXIES
                           whose X-Forwarded-For tells who is
                           connected; default 0
  --allow-anonymous        answer to other names than this         ALLOW_ANONYMOUS=1
                           machine's, and listen beyond it,
                           although anyone who connects may
                           read and write
  --jwt-secret-file <path> let in who shows a JSON Web Token that JWT_SECRET_FILE,
                           is signed with this secret (32 bytes   or JWT_SECRET with
                           or more)                               the secret itself
  --jwt-jwks-url <url>     the same with the public keys at this   JWT_JWKS_URL
                           URL
  --jwt-algorithm <name>   accepted signatures; repeat it; HS256   JWT_ALGORITHMS
                           with a secret, else RS256, PS256,       (comma-separated)
                           ES256 and EdDSA
  --jwt-issuer <text>      what the token's iss must be            JWT_ISSUER
  --jwt-audience <text>    what the token's aud must hold          JWT_AUDIENCE
  --jwt-default-access <a> what a token without a documents     JWT_DEFAULT_ACCESS
                           claim allows: none (default), read
                           or write
  --no-examples            no example apps at /                    NO_EXAMPLES=1
  --help, -h               print this
  --version, -v            print the version

token
Prints a token for development, signed with the secret of the options above.

  --user <id>              whom it is for
  --name <text>            the name that others see
  --document <p>=<access>  what it allows, by a pattern of names such as
                           drafts/*=write; repeat it; default *=write
  --expires <time>         such as 15m, 12h (default) or 7d

An option given on the command line wins over the environment.
`

const FLAGS = {
  port: { type: 'string' },
  host: { type: 'string' },
  data: { type: 'string' },
  durability: { type: 'string' },
  'accept-loss': { type: 'boolean' },
  'allowed-origin': { type: 'string', multiple: true },
  'trusted-proxies': { type: 'string' },
  'allow-anonymous': { type: 'boolean' },
  'no-examples': { type: 'boolean' },
  'jwt-secret-file': { type: 'string' },
  'jwt-jwks-url': { type: 'string' },
  'jwt-algorithm': { type: 'string', multiple: true },
  'jwt-issuer': { type: 'string' },
  'jwt-audience': { type: 'string' },
  'jwt-default-access': { type: 'string' },
  user: { type: 'string' },
  name: { type: 'string' },
  document: { type: 'string', multiple: true },
  expires: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
} as const satisfies NonNullable<ParseArgsConfig['options']>

type FlagName = keyof typeof FLAGS
const TOKEN_FLAGS: readonly FlagName[] = ['user', 'name', 'document', 'expires']
type Environment = Readonly<Record<string, string | undefined>>

/** A text with the name under which the user gave it, for the message when it is wrong. */
interface Setting {
  readonly source: string
  readonly text: string
}

/** Reads the arguments after the program's name. Throws a `UsageError`. */
export function parseCommandLine(args: readonly string[], environment: Environment): Command {
  const { flags, positionals } = readArguments(args)
  if (flags.has('help')) return { kind: 'help' }
  if (flags.has('version')) return { kind: 'version' }
  const [command, ...rest] = positionals
  if (command === undefined) {
    const [flag] = flags.keys()
    if (flag !== undefined)
      throw new UsageError(`option --${flag} needs a command before it: y-rooms serve`)
    return { kind: 'help' }
  }
  if (command !== 'serve' && command !== 'token')
    throw new UsageError(`unknown command ${quote(command)}; there are serve and token`)
  if (rest[0] !== undefined) throw new UsageError(`unexpected argument ${quote(rest[0])}`)
  for (const flag of flags.keys())
    if (!flag.startsWith('jwt-') && TOKEN_FLAGS.includes(flag) !== (command === 'token'))
      throw new UsageError(`option --${flag} is none of y-rooms ${command}`)
  if (command === 'token') return { kind: 'token', request: readTokenRequest(flags, environment) }
  return { kind: 'serve', options: readServeOptions(flags, environment) }
}

function readTokenRequest(
  flags: ReadonlyMap<FlagName, string[]>,
  environment: Environment,
): TokenRequest {
  const user = flags.get('user')?.at(-1)
  if (user === undefined || user === '') throw new UsageError('y-rooms token needs --user')
  const jwt = readJwt(flags, environment)
  if (jwt === null)
    throw new UsageError('y-rooms token signs with a secret: give JWT_SECRET or --jwt-secret-file')
  return {
    jwt,
    user,
    name: flags.get('name')?.at(-1) ?? null,
    documents: readPatterns(flags.get('document') ?? []),
    expiresInSeconds: readDuration(flags.get('expires')?.at(-1) ?? '12h'),
  }
}

function readJwt(
  flags: ReadonlyMap<FlagName, string[]>,
  environment: Environment,
): JwtSettings | null {
  const text = (flag: FlagName | null, variable: string): string | null =>
    (flag === null ? undefined : flags.get(flag)?.at(-1)) || environment[variable] || null
  const algorithms =
    flags.get('jwt-algorithm') ??
    (environment['JWT_ALGORITHMS'] ?? '').split(',').map((name) => name.trim())
  const file = flags.get('jwt-secret-file')?.at(-1)
  return readJwtSettings({
    // What is given on the command line wins over the environment.
    secret: file === undefined ? text(null, 'JWT_SECRET') : null,
    secretFile: text('jwt-secret-file', 'JWT_SECRET_FILE'),
    jwksUrl: text('jwt-jwks-url', 'JWT_JWKS_URL'),
    algorithms: algorithms.filter((name) => name !== ''),
    issuer: text('jwt-issuer', 'JWT_ISSUER'),
    audience: text('jwt-audience', 'JWT_AUDIENCE'),
    defaultAccess: text('jwt-default-access', 'JWT_DEFAULT_ACCESS'),
  })
}

function readArguments(args: readonly string[]) {
  // Not strict: Node's own messages go on about `--` over several lines.
  const { tokens, positionals } = parseArgs({
    args: [...args],
    options: FLAGS,
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  const flags = new Map<FlagName, string[]>()
  for (const token of tokens) {
    if (token.kind !== 'option') continue
    if (!Object.hasOwn(FLAGS, token.name)) throw new UsageError(`unknown option ${token.rawName}`)
    const name = token.name as FlagName
    const { value } = token
    if (FLAGS[name].type === 'boolean' && value !== undefined)
      throw new UsageError(`option ${token.rawName} takes no value, but got ${quote(value)}`)
    // `--port --host x` has forgotten the port; a value that does start so can be given with `=`.
    const isMissing = value === undefined || (!token.inlineValue && value.startsWith('--'))
    if (FLAGS[name].type === 'string' && isMissing)
      throw new UsageError(`option ${token.rawName} needs a value`)
    flags.set(name, [...(flags.get(name) ?? []), value ?? ''])
  }
  return { flags, positionals }
}

function readServeOptions(flags: ReadonlyMap<FlagName, string[]>, environment: Environment) {
  const setting = (flag: FlagName, variable: string, fallback: string): Setting => {
    const given = flags.get(flag)?.at(-1)
    if (given !== undefined) return { source: `option --${flag}`, text: given }
    const inherited = environment[variable]
    // An empty variable is how shells and compose files say "not set".
    if (inherited !== undefined && inherited !== '') return { source: variable, text: inherited }
    return { source: `option --${flag}`, text: fallback }
  }
  const isSet = (flag: FlagName, variable: string): boolean =>
    flags.has(flag) || readSwitch(variable, environment[variable])

  const isAnonymous = isSet('allow-anonymous', 'ALLOW_ANONYMOUS')
  const jwt = readJwt(flags, environment)
  const options: ServeOptions = {
    port: readPort(setting('port', 'PORT', '1234')),
    host: readNonEmpty(setting('host', 'HOST', '127.0.0.1')),
    dataDirectory: readNonEmpty(setting('data', 'DATA_DIR', './data')),
    examples: !isSet('no-examples', 'NO_EXAMPLES'),
    durability: readDurability(setting('durability', 'DURABILITY', 'strict')),
    acceptLoss: isSet('accept-loss', 'ACCEPT_LOSS'),
    allowedOrigins: readOrigins(flags.get('allowed-origin'), environment['ALLOWED_ORIGINS']),
    trustedProxies: readProxies(setting('trusted-proxies', 'TRUSTED_PROXIES', '0')),
    isForThisMachine: jwt === null && !isAnonymous,
    jwt,
  }
  if (isAnonymous && options.jwt !== null)
    throw new UsageError(
      '--allow-anonymous and tokens contradict each other; leave one of them out',
    )
  if (!isAnonymous && options.jwt === null && !isLoopback(options.host))
    throw new UsageError(
      `host ${options.host} can be reached from other machines and there is no authentication; ` +
        `check tokens (JWT_SECRET or --jwt-jwks-url), or add --allow-anonymous if everyone who reaches it ` +
        'may read and write every document',
    )
  return options
}

function readPort({ source, text }: Setting): number {
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (port <= 65_535) return port
  throw new UsageError(`${source} is ${quote(text)}; allowed are 0 to 65535`)
}

function readProxies({ source, text }: Setting): number {
  if (/^([0-9]|10)$/.test(text)) return Number(text)
  throw new UsageError(`${source} is ${quote(text)}; allowed are 0 to 10`)
}

function readNonEmpty({ source, text }: Setting): string {
  if (text !== '') return text
  throw new UsageError(`${source} is empty`)
}

function readDurability({ source, text }: Setting): 'strict' | 'relaxed' {
  if (text === 'strict' || text === 'relaxed') return text
  throw new UsageError(`${source} is ${quote(text)}; allowed are strict and relaxed`)
}

function readSwitch(variable: string, text: string | undefined): boolean {
  if (text === undefined || text === '' || text === '0' || text === 'false') return false
  if (text === '1' || text === 'true') return true
  throw new UsageError(`${variable} is ${quote(text)}; allowed are 1, true, 0 and false`)
}

function readOrigins(
  given: readonly string[] | undefined,
  inherited: string | undefined,
): readonly string[] | '*' | null {
  const source = given === undefined ? 'ALLOWED_ORIGINS' : 'option --allowed-origin'
  const texts = given ?? (inherited ?? '').split(',').map((text) => text.trim())
  const origins = given === undefined ? texts.filter((text) => text !== '') : texts
  for (const text of origins)
    if (text !== '*' && !isOrigin(text))
      throw new UsageError(
        `${source} is ${quote(text)}; expected an origin such as https://app.example.com, or *`,
      )
  if (origins.includes('*')) return '*'
  return origins.length === 0 ? null : origins
}

/** An origin as browsers send it: scheme, host and port, without a path or a slash at the end. */
function isOrigin(text: string): boolean {
  return (
    URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) && new URL(text).origin === text
  )
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.[0-9]{1,3}){3}$/.test(host)
}

/** Keeps a message on one line whatever the user typed. */
function quote(text: string): string {
  return JSON.stringify(text)
}
