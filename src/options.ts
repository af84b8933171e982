import type { Authenticate, Authorize } from './access/access.ts'
import { GuardedHooks, HOOK_NAMES, type Hooks } from './access/hooks.ts'
import { boundPending } from './access/pending-authentications.ts'
import { withinTime } from './access/hook-time.ts'
import type { Clock } from './clock.ts'
import { systemClock } from './clock.ts'
import { OptionError } from './errors.ts'
import { NUMBER_OPTIONS, type NumberOptionName } from './number-options.ts'
import type { Storage } from './storage/storage.ts'
import { silentLogger, type Logger } from './telemetry/logger.ts'
import { DEFAULT_SCAN_LIMITS, type ScanLimits } from './update/scan-limits.ts'

export interface ServerOptions extends Partial<Record<NumberOptionName, number>>, Hooks {
  /** Where documents are kept: `levelStorage(directory)`, `memoryStorage()` or your own. The server opens and closes it. */
  readonly storage: Storage
  /** Who is connecting. Default: everybody, anonymously. */
  readonly authenticate?: Authenticate
  /** What a user may do with a document. Default: write. */
  readonly authorize?: Authorize
  /**
   * Web origins whose pages may connect, such as `https://app.example.com`, or `'*'` for all. Default: the
   * page's own host, and any loopback page to a loopback server. Requests without an Origin header do not come from a page and pass.
   */
  readonly allowedOrigins?: readonly string[] | '*'
  /**
   * Names, without a port, under which clients may reach the server (the Host header), beside those of this machine, such as `app.example.com`.
   * Default: any. For a server that only this machine should reach: an empty list.
   */
  readonly allowedHosts?: readonly string[]
  /**
   * Where images beside documents are kept, as files: `documents.router()` then takes and gives them under `/documents/:name/attachments`.
   * Beside the database, not in it. Default: none, and no such routes.
   */
  readonly attachmentsDirectory?: string
  /** Default: silent. `console` fits. */
  readonly logger?: Logger
  /** Time; tests move it by hand. */
  readonly clock?: Clock
}

export interface ResolvedOptions extends Record<NumberOptionName, number> {
  readonly storage: Storage
  readonly authenticate: Authenticate | null
  readonly authorize: Authorize
  readonly hooks: GuardedHooks
  readonly scanLimits: ScanLimits
  readonly allowedOrigins: readonly string[] | '*' | null
  readonly allowedHosts: readonly string[] | null
  readonly attachmentsDirectory: string | null
  readonly logger: Logger
  readonly clock: Clock
}

const FUNCTIONS = ['authenticate', 'authorize', ...HOOK_NAMES] as const
const OTHER_OPTIONS: readonly string[] = [
  'storage',
  'allowedOrigins',
  'allowedHosts',
  'attachmentsDirectory',
  'logger',
  'clock',
  ...FUNCTIONS,
]

/** Checks every option and fills in the defaults. Throws an `OptionError` that names the option. */
export function resolveOptions(options: ServerOptions): ResolvedOptions {
  for (const name of Object.keys(options))
    if (!Object.hasOwn(NUMBER_OPTIONS, name) && !OTHER_OPTIONS.includes(name))
      throw new OptionError(`unknown option ${name}`)
  if (typeof options.storage?.append !== 'function')
    throw new OptionError('option storage is missing: pass levelStorage(directory)')
  for (const hook of FUNCTIONS)
    if (options[hook] !== undefined && typeof options[hook] !== 'function')
      throw new OptionError(`option ${hook} must be a function`)
  const { allowedOrigins } = options
  if (allowedOrigins !== undefined && allowedOrigins !== '*' && !Array.isArray(allowedOrigins))
    throw new OptionError(`option allowedOrigins must be a list of origins or '*'`)
  const { allowedHosts } = options
  if (allowedHosts !== undefined && !Array.isArray(allowedHosts))
    throw new OptionError('option allowedHosts must be a list of host names')
  const { attachmentsDirectory = null } = options
  if (
    attachmentsDirectory !== null &&
    (typeof attachmentsDirectory !== 'string' || attachmentsDirectory === '')
  )
    throw new OptionError('option attachmentsDirectory must be the path of a directory')

  const numbers = {} as Record<NumberOptionName, number>
  for (const [key, rule] of Object.entries(NUMBER_OPTIONS)) {
    const name = key as NumberOptionName
    const value = options[name] ?? rule.default
    if (!Number.isFinite(value) || value < rule.min || value > rule.max)
      throw new OptionError(
        `option ${name} is ${value}; allowed are ${rule.min} to ${rule.max} ${rule.unit}`,
      )
    numbers[name] = value
  }
  if (numbers.outboxHardBytes < numbers.outboxSoftBytes)
    throw new OptionError('option outboxHardBytes must not be below outboxSoftBytes')
  const clock = options.clock ?? systemClock
  const logger = options.logger ?? silentLogger
  return {
    ...numbers,
    storage: options.storage,
    ...resolveHooks(options, clock, numbers),
    scanLimits: {
      ...DEFAULT_SCAN_LIMITS,
      structs: numbers.maxStructsPerUpdate,
      deleteRanges: numbers.maxStructsPerUpdate,
      nesting: numbers.maxNesting,
    },
    allowedOrigins: allowedOrigins ?? null,
    allowedHosts: allowedHosts ?? null,
    attachmentsDirectory,
    hooks: new GuardedHooks(options, clock, logger, numbers.hookTimeoutMs),
    logger,
    clock,
  }
}

/** The hooks, each answering in time or not at all. */
function resolveHooks(
  { authenticate, authorize = () => 'write' }: ServerOptions,
  clock: Clock,
  {
    hookTimeoutMs: limitMs,
    maxPendingAuthentications,
  }: Pick<ResolvedOptions, 'hookTimeoutMs' | 'maxPendingAuthentications'>,
): Pick<ResolvedOptions, 'authenticate' | 'authorize'> {
  return {
    authenticate:
      authenticate === undefined
        ? null
        : boundPending(
            (handshake) => withinTime('authenticate', authenticate(handshake), clock, limitMs),
            maxPendingAuthentications,
          ),
    authorize: (user, document) =>
      withinTime('authorize', authorize(user, document), clock, limitMs),
  }
}
