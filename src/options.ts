import type { Authenticate, Authorize } from './access/access.ts'
import { GuardedHooks, HOOK_NAMES, type Hooks } from './access/hooks.ts'
import { withinTime } from './access/hook-time.ts'
import type { Clock } from './clock.ts'
import { systemClock } from './clock.ts'
import { OptionError } from './errors.ts'
import type { Storage } from './storage/storage.ts'
import { silentLogger, type Logger } from './telemetry/logger.ts'

interface NumberOption {
  readonly default: number
  readonly min: number
  readonly max: number
  readonly unit: 'ms' | 'bytes' | 'entries' | 'documents'
  readonly effect: string
}

/** Every tunable number with its default, range, unit and effect; docs/options.md is compared with it. */
export const NUMBER_OPTIONS = {
  commitIntervalMs: {
    default: 4,
    min: 0,
    max: 1000,
    unit: 'ms',
    effect:
      'A quiet server writes an update at once; a busy one begins a batch for the disk at most once per interval. Longer ones cost less processor time, and acknowledge later.',
  },
  relayIntervalMs: {
    default: 8,
    min: 0,
    max: 1000,
    unit: 'ms',
    effect:
      'A document is relayed at once when quiet and at most once per interval when busy; the interval grows with the room.',
  },
  presenceIntervalMs: {
    default: 50,
    min: 0,
    max: 5000,
    unit: 'ms',
    effect: 'The same for presence; only the latest state of each client is sent.',
  },
  presenceRefreshMs: {
    // Yjs editors drop a peer that was silent for 30 s, and a state is repeated after 1.5 times this at the latest.
    default: 12_000,
    min: 1000,
    max: 20_000,
    unit: 'ms',
    effect:
      'How often the server repeats presence that has not changed, so that a throttled background tab does not disappear.',
  },
  idleUnloadMs: {
    default: 30_000,
    min: 0,
    max: 86_400_000,
    unit: 'ms',
    effect: 'How long a document without members stays in memory.',
  },
  recentBytes: {
    default: 256 * 1024,
    min: 0,
    max: 64 * 1024 * 1024,
    unit: 'bytes',
    effect:
      'Log entries kept in memory per open document, to answer returning clients without the disk.',
  },
  snapshotCacheBytes: {
    default: 64 * 1024 * 1024,
    min: 0,
    max: 16 * 1024 * 1024 * 1024,
    unit: 'bytes',
    effect: 'Snapshot chunks kept in memory, shared by all joiners of all documents.',
  },
  compactAfterBytes: {
    default: 256 * 1024,
    min: 1024,
    max: 1024 * 1024 * 1024,
    unit: 'bytes',
    effect:
      'The log after the snapshot is folded when it is longer than this and than half the snapshot.',
  },
  compactAfterEntries: {
    default: 2000,
    min: 1,
    max: 10_000_000,
    unit: 'entries',
    effect:
      'The log after the snapshot is folded when it has more entries than this; where the snapshot is larger than 48 KiB, in proportion to its size up to eight times as many, and from 16 MiB on this many for each 2 MiB.',
  },
  maxUpdateBytes: {
    default: 64 * 1024 * 1024,
    min: 1024,
    max: 1024 * 1024 * 1024,
    unit: 'bytes',
    effect: 'The largest update that is accepted, in one message or in chunks.',
  },
  uploadResumeMs: {
    // A laptop that changes from one network to another, or a server behind a balancer that is replaced.
    default: 60_000,
    min: 0,
    max: 3_600_000,
    unit: 'ms',
    effect:
      'How long the part of a large update that has arrived is kept for a client that lost its connection.',
  },
  parkedUploadBytes: {
    default: 64 * 1024 * 1024,
    min: 0,
    max: 16 * 1024 * 1024 * 1024,
    unit: 'bytes',
    effect:
      'Such parts in memory, of all clients together; with more, the oldest is forgotten and sent again from its beginning.',
  },
  maxPresenceBytes: {
    default: 16 * 1024,
    min: 64,
    max: 1024 * 1024,
    unit: 'bytes',
    effect: 'The largest presence state of one client, as JSON.',
  },
  maxPresenceBytesPerDocument: {
    default: 4 * 1024 * 1024,
    min: 1024,
    max: 1024 * 1024 * 1024,
    unit: 'bytes',
    effect:
      'The presence of everybody in a document together; a joining client gets it in one answer.',
  },
  maxPendingBytes: {
    default: 64 * 1024 * 1024,
    min: 1024,
    max: 16 * 1024 * 1024 * 1024,
    unit: 'bytes',
    effect:
      'Accepted updates that wait for the disk; with more than this, further ones are refused with `storage-unavailable`.',
  },
  maxDocumentsPerConnection: {
    default: 1000,
    min: 1,
    max: 1_000_000,
    unit: 'documents',
    effect: 'How many documents one connection may have open.',
  },
  outboxSoftBytes: {
    default: 1024 * 1024,
    min: 16 * 1024,
    max: 1024 * 1024 * 1024,
    unit: 'bytes',
    effect:
      'A connection with more unsent bytes than this gets no relays and no large answers until it has read nearly all; then it is brought up to date.',
  },
  outboxHardBytes: {
    default: 16 * 1024 * 1024,
    min: 64 * 1024,
    max: 4 * 1024 * 1024 * 1024,
    unit: 'bytes',
    effect:
      'A connection with more unsent bytes than this, the largest message left out, is closed; its client comes back.',
  },
  outboxStallMs: {
    default: 30_000,
    min: 1000,
    max: 600_000,
    unit: 'ms',
    effect:
      'A connection that read nothing for this long while bytes wait is closed; its client comes back.',
  },
  pingIntervalMs: {
    default: 20_000,
    min: 100,
    max: 300_000,
    unit: 'ms',
    effect:
      'How often the server asks a connection whether it is alive. Only when attached to an HTTP server.',
  },
  pingTimeoutMs: {
    default: 20_000,
    min: 100,
    max: 300_000,
    unit: 'ms',
    effect: 'How long it waits for the answer. Only when attached to an HTTP server.',
  },
  hookTimeoutMs: {
    default: 10_000,
    min: 10,
    max: 600_000,
    unit: 'ms',
    effect:
      'How long `authenticate`, `authorize` or `beforeUpdate` may take; then the request that asked is refused with `internal-error`.',
  },
  joinTimeoutMs: {
    default: 60_000,
    min: 1000,
    max: 86_400_000,
    unit: 'ms',
    effect: 'A connection that is in no document for this long is closed.',
  },
  expiryWarningMs: {
    default: 30_000,
    min: 0,
    max: 86_400_000,
    unit: 'ms',
    effect:
      'How long before its credentials end a client is told; a fifth of the time that they have left, if that is less.',
  },
  closeTimeoutMs: {
    default: 5000,
    min: 0,
    max: 600_000,
    unit: 'ms',
    effect:
      'The longest that close() takes: most of it for writes under way, the rest to release storage and threads.',
  },
} as const satisfies Record<string, NumberOption>

type NumberOptionName = keyof typeof NUMBER_OPTIONS

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
  readonly allowedOrigins: readonly string[] | '*' | null
  readonly logger: Logger
  readonly clock: Clock
}

const FUNCTIONS = ['authenticate', 'authorize', ...HOOK_NAMES] as const
const OTHER_OPTIONS: readonly string[] = [
  'storage',
  'allowedOrigins',
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
    ...resolveHooks(options, clock, numbers.hookTimeoutMs),
    allowedOrigins: allowedOrigins ?? null,
    hooks: new GuardedHooks(options, clock, logger, numbers.hookTimeoutMs),
    logger,
    clock,
  }
}

/** The hooks, each answering in time or not at all. */
function resolveHooks(
  { authenticate, authorize = () => 'write' }: ServerOptions,
  clock: Clock,
  limitMs: number,
): Pick<ResolvedOptions, 'authenticate' | 'authorize'> {
  return {
    authenticate:
      authenticate === undefined
        ? null
        : (handshake) => withinTime('authenticate', authenticate(handshake), clock, limitMs),
    authorize: (user, document) =>
      withinTime('authorize', authorize(user, document), clock, limitMs),
  }
}
