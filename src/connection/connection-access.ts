import type { AccessChangeCode, DocumentName, TokenAnswer } from '../../protocol/index.ts'
import { MAX_TOKEN_LENGTH, type Access, type Authorize, type User } from '../access/access.ts'
import { decideAccess, type Answer } from '../access/decisions.ts'
import type { CancelTimer, Clock } from '../clock.ts'
import { asDocumentError, DocumentError } from '../errors.ts'
import type { Logger } from '../telemetry/logger.ts'
import { Rate } from './rate.ts'
import type { Session } from './session.ts'

/** Who came, and how to ask again with another token. */
export interface Identity {
  readonly user: User | null
  /** Asks `authenticate` as the handshake did, with this token in place of its own. */
  readonly reauthenticate: (token: string) => Answer<User | null>
}

/** What all connections share. */
interface AccessServices {
  readonly authorize: Authorize
  readonly clock: Clock
  readonly logger: Logger
  readonly expiryWarningMs: number
  /** Each costs a signature, and a question about each open document. */
  readonly tokensPerMinute: number
}

/** The connection whose access it is. */
interface AccessHolder {
  sessions(): Iterable<Session>
  sendExpiring(expiresInMs: number): void
  /** The credentials have ended and nobody has brought new ones. */
  handleGivenUp(): void
}

/** Of a short life no more than this is warning time: a client with one-minute tokens would be told at once, and again. */
const WARNING_SHARE = 1 / 5
/** After the end a client may still bring a new token on the same connection: a slow network's round trip to its token service. */
const GRACE_MS = 30_000
/** Node's timers hold no more than 2^31 − 1 ms and fire at once beyond it. */
const MAX_TIMER_MS = 2 ** 30

/**
 * Who is at the other end of a connection and for how long, and what that allows in the documents that are open: asked again
 * when the application says so, when a new token comes, and over when the credentials end.
 */
export class ConnectionAccess {
  readonly #identity: Identity
  readonly #services: AccessServices
  readonly #holder: AccessHolder
  #user: User | null
  #state: 'valid' | 'expired' | 'closed' = 'valid'
  #isRefreshing = false
  #version = 0
  /** The latest question about each session: an older one that is answered late decides nothing. */
  #questions: WeakMap<Session, number> | null = null
  #cancelTimer: CancelTimer | null = null
  #tokens: Rate | null = null

  constructor(identity: Identity, services: AccessServices, holder: AccessHolder) {
    this.#identity = identity
    this.#services = services
    this.#holder = holder
    this.#user = identity.user
    this.#awaitExpiry()
  }

  get user(): User | null {
    return this.#user
  }

  /** Rises whenever what was decided before may be true no longer. */
  get version(): number {
    return this.#version
  }

  /** What the user may do with a document. Throws `token-expired`, or throws or rejects with what the hook threw. */
  decide(document: DocumentName): Answer<Access> {
    if (this.#state === 'expired')
      throw new DocumentError('token-expired', 'the credentials have expired; send a new token')
    return decideAccess(this.#services.authorize, this.#user, document)
  }

  /**
   * Takes new credentials of the same user. When they are refused the old ones hold as long as they would have. Answers when
   * every open document goes by the new ones.
   */
  async handleToken(token: unknown): Promise<TokenAnswer> {
    if (typeof token !== 'string' || token === '' || token.length > MAX_TOKEN_LENGTH)
      throw new DocumentError(
        'malformed-request',
        `token takes a string of at most ${MAX_TOKEN_LENGTH} characters`,
      )
    if (this.#isRefreshing)
      throw new DocumentError('too-many-requests', 'wait until the last token was answered')
    this.#countToken()
    this.#isRefreshing = true
    try {
      const user = await this.#identity.reauthenticate(token)
      if (this.#state === 'closed')
        throw new DocumentError('server-closing', 'the connection is gone')
      if (user?.id !== this.#user?.id)
        throw new DocumentError('user-changed', 'this token is of another user; connect anew')
      this.#user = user
      this.#state = 'valid'
      this.#awaitExpiry()
    } finally {
      this.#isRefreshing = false
    }
    for (const session of this.#holder.sessions()) session.handleUserChanged()
    await this.recheck(null, 'token-refreshed')
    const expiresAt = this.#user?.expiresAt
    if (expiresAt === undefined) return { ok: true }
    return { ok: true, expiresInMs: Math.max(0, expiresAt - this.#services.clock.now()) }
  }

  /** Asks `authorize` again for one open document or all, and lets the sessions know. Never rejects. */
  async recheck(document: DocumentName | null, code: AccessChangeCode): Promise<void> {
    this.#version++
    const sessions = [...this.#holder.sessions()].filter(
      (session) => document === null || session.document.name === document,
    )
    await Promise.all(sessions.map((session) => this.#recheckSession(session, code)))
  }

  #countToken(): void {
    const { clock, tokensPerMinute } = this.#services
    this.#tokens ??= new Rate(clock, tokensPerMinute / 60, tokensPerMinute)
    if (this.#tokens.waitMs > 0)
      throw new DocumentError('too-many-requests', 'too many tokens; wait a little', {
        limit: 'tokensPerMinute',
      })
    this.#tokens.use(1)
  }

  close(): void {
    this.#state = 'closed'
    this.#cancelTimer?.()
  }

  async #recheckSession(session: Session, code: AccessChangeCode): Promise<void> {
    const question = this.#version
    this.#questions ??= new WeakMap()
    this.#questions.set(session, question)
    let access: Access | DocumentError
    try {
      access = await this.decide(session.document.name)
    } catch (error) {
      access = this.#undecided(error)
    }
    if (session.isEnded || this.#questions?.get(session) !== question) return
    if (access instanceof DocumentError) session.handleEnd(access)
    else if (access === 'none')
      session.handleEnd(new DocumentError('access-revoked', 'you have no access any more'))
    else session.changeAccess(access, code)
  }

  /** Nobody stays in on the strength of a question that was not answered; who may come in again finds out by joining. */
  #undecided(error: unknown): DocumentError {
    const known = asDocumentError(error)
    if (known !== null) return known
    this.#services.logger.error('access could not be decided again', { error })
    return new DocumentError('internal-error', 'access could not be decided; join again', {
      cause: error,
    })
  }

  #awaitExpiry(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = null
    const expiresAt = this.#user?.expiresAt
    if (expiresAt === undefined) return
    const { clock, expiryWarningMs } = this.#services
    const lifeMs = expiresAt - clock.now()
    const warningMs = Math.min(expiryWarningMs, lifeMs * WARNING_SHARE)
    this.#at(expiresAt - warningMs, () => {
      // A machine that slept through both has nothing to warn of.
      const leftMs = Math.ceil(expiresAt - clock.now())
      if (leftMs > 0) this.#holder.sendExpiring(leftMs)
      this.#at(expiresAt, () => this.#expire())
    })
  }

  /** By the time of day, not by the length of a timer: a machine may sleep, and its clock be set. */
  #at(time: number, callback: () => void): void {
    const { clock } = this.#services
    const leftMs = time - clock.now()
    if (leftMs <= 0) callback()
    else
      this.#cancelTimer = clock.setTimer(Math.min(leftMs, MAX_TIMER_MS), () =>
        this.#at(time, callback),
      )
  }

  #expire(): void {
    this.#state = 'expired'
    this.#version++
    this.#cancelTimer = this.#services.clock.setTimer(GRACE_MS, () => this.#holder.handleGivenUp())
    const expired = new DocumentError('token-expired', 'the credentials have expired')
    for (const session of [...this.#holder.sessions()]) session.handleEnd(expired)
  }
}
