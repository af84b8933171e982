import { parseArgs, type ParseArgsConfig } from 'node:util'

/** What the user asked for; every value is checked. */
export type Command =
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'serve'; readonly options: ServeOptions }

export interface ServeOptions {
  readonly port: number
  readonly host: string
  readonly dataDirectory: string
  readonly examples: boolean
  readonly durability: 'strict' | 'relaxed'
  readonly acceptLoss: boolean
  /** Null: the server's default, which is the page's own host. */
  readonly allowedOrigins: readonly string[] | '*' | null
}

/** The command line or the environment is wrong. The message is one sentence that names the culprit. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

export const HELP = `Usage: y-rooms serve [options]

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
  --allow-anonymous        listen beyond this machine although     ALLOW_ANONYMOUS=1
                           anyone who connects may read and write
  --no-examples            no start page at /                      NO_EXAMPLES=1
  --help, -h               print this
  --version, -v            print the version

An option given on the command line wins over the environment.
`

const FLAGS = {
  port: { type: 'string' },
  host: { type: 'string' },
  data: { type: 'string' },
  durability: { type: 'string' },
  'accept-loss': { type: 'boolean' },
  'allowed-origin': { type: 'string', multiple: true },
  'allow-anonymous': { type: 'boolean' },
  'no-examples': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
} as const satisfies NonNullable<ParseArgsConfig['options']>

type FlagName = keyof typeof FLAGS
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
  if (command !== 'serve') throw new UsageError(`unknown command ${quote(command)}; there is serve`)
  if (rest[0] !== undefined) throw new UsageError(`unexpected argument ${quote(rest[0])}`)
  return { kind: 'serve', options: readServeOptions(flags, environment) }
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

  const options: ServeOptions = {
    port: readPort(setting('port', 'PORT', '1234')),
    host: readNonEmpty(setting('host', 'HOST', '127.0.0.1')),
    dataDirectory: readNonEmpty(setting('data', 'DATA_DIR', './data')),
    examples: !isSet('no-examples', 'NO_EXAMPLES'),
    durability: readDurability(setting('durability', 'DURABILITY', 'strict')),
    acceptLoss: isSet('accept-loss', 'ACCEPT_LOSS'),
    allowedOrigins: readOrigins(flags.get('allowed-origin'), environment['ALLOWED_ORIGINS']),
  }
  if (!isSet('allow-anonymous', 'ALLOW_ANONYMOUS') && !isLoopback(options.host))
    throw new UsageError(
      `host ${options.host} can be reached from other machines and there is no authentication; ` +
        `add --allow-anonymous if everyone who reaches it may read and write every document`,
    )
  return options
}

function readPort({ source, text }: Setting): number {
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (port <= 65_535) return port
  throw new UsageError(`${source} is ${quote(text)}; allowed are 0 to 65535`)
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
