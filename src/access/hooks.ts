import type { DocumentName, ErrorCode } from '../../protocol/index.ts'
import type { Clock } from '../clock.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Access, User } from './access.ts'
import { withinTime } from './hook-time.ts'

/** A change that somebody wants to make: well-formed, and not looked at any further. */
export interface ProposedUpdate {
  readonly document: DocumentName
  readonly user: User | null
  /** A Yjs V1 update of a stranger. Not to be changed, and the hook's only until it has answered. */
  readonly update: Uint8Array
}

/** A change that is on the disk. */
export interface CommittedUpdate {
  readonly document: DocumentName
  readonly seq: number
  /** The `id` of its author; null for the server's own editors and without `authenticate`. */
  readonly userId: string | null
  /** When it was accepted, in milliseconds since 1970. */
  readonly acceptedAt: number
  /** A Yjs V1 update. Not to be changed. */
  readonly update: Uint8Array
}

/** Somebody is in a document from now on, through one connection, however many editors of the page share it. */
export interface OpenedDocument {
  readonly document: DocumentName
  readonly user: User | null
  readonly access: Exclude<Access, 'none'>
}

export interface ClosedDocument {
  readonly document: DocumentName
  readonly user: User | null
  /** Why the server ended it; null when the client left or its connection ended. */
  readonly code: ErrorCode | null
}

/** Somebody announced another presence state, or is gone (null). */
export interface ChangedPresence {
  readonly document: DocumentName
  readonly user: User | null
  /** The Yjs client id. */
  readonly clientId: number
  /** As others see it. */
  readonly state: Readonly<Record<string, unknown>> | null
}

/** What an application can have a say in, or be told of. */
export interface Hooks {
  /**
   * Asked about each change of a client or an HTTP request before it is accepted, one after the other for each connection and
   * document. Throw `new DocumentError('update-refused', why)` to refuse one: its client keeps it and shows it as rejected.
   * Any other error, and no answer within `hookTimeoutMs`, refuses with `internal-error`, and the client sends it again later.
   */
  readonly beforeUpdate?: (proposed: ProposedUpdate) => Promise<void> | void
  /** Told of each change once it is durable, in the order of each document. Nobody waits for it. */
  readonly afterCommit?: (committed: CommittedUpdate) => Promise<void> | void
  readonly opened?: (opened: OpenedDocument) => Promise<void> | void
  readonly closed?: (closed: ClosedDocument) => Promise<void> | void
  readonly presence?: (changed: ChangedPresence) => Promise<void> | void
}

export const HOOK_NAMES = ['beforeUpdate', 'afterCommit', 'opened', 'closed', 'presence'] as const

/** The application's hooks, so that none of them can do more harm than to one request: what a notice throws is logged. */
export class GuardedHooks {
  readonly #hooks: Hooks
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #limitMs: number

  constructor(hooks: Hooks, clock: Clock, logger: Logger, limitMs: number) {
    this.#hooks = hooks
    this.#clock = clock
    this.#logger = logger
    this.#limitMs = limitMs
  }

  has(name: keyof Hooks): boolean {
    return this.#hooks[name] !== undefined
  }

  /** Rejects with what the hook threw, or because it took too long. */
  async beforeUpdate(proposed: ProposedUpdate): Promise<void> {
    const answer = this.#hooks.beforeUpdate?.(proposed)
    await withinTime('beforeUpdate', answer, this.#clock, this.#limitMs)
  }

  /** Never throws. */
  tell<Name extends Exclude<keyof Hooks, 'beforeUpdate'>>(
    name: Name,
    notice: Parameters<NonNullable<Hooks[Name]>>[0],
  ): void {
    const hook = this.#hooks[name] as ((told: typeof notice) => Promise<void> | void) | undefined
    if (hook === undefined) return
    const handleFailed = (error: unknown): void =>
      this.#logger.error('a hook failed', { hook: name, error })
    try {
      Promise.resolve(hook(notice)).catch(handleFailed)
    } catch (error) {
      handleFailed(error)
    }
  }
}
