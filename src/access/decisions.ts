import type { DocumentName } from '../../protocol/index.ts'
import { DocumentError } from '../errors.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Access, Authenticate, Authorize, Handshake, User } from './access.ts'
import {
  accessByPatterns,
  isAccess,
  isDocumentPatterns,
  lesserAccess,
} from './document-patterns.ts'

/** At once, as most hooks know it, or later. A promise for each would be half of what letting somebody in takes. */
export type Answer<Value> = Value | Promise<Value>

/**
 * Asks the application who this is; null when it has no `authenticate`. Whatever is not clearly a user is refused:
 * a hook that forgets to return anything must not open the door. A hook that answers at once is answered for at once, and what it
 * throws is thrown.
 */
export function identify(
  authenticate: Authenticate | null,
  handshake: Handshake,
  now: number,
): Answer<User | null> {
  if (authenticate === null) return null
  const user: unknown = authenticate(handshake)
  return isThenable(user)
    ? Promise.resolve(user).then((late) => asUser(late, now))
    : asUser(user, now)
}

function asUser(user: unknown, now: number): User {
  if (!isUser(user)) throw new DocumentError('unauthenticated', 'the credentials were refused')
  if (user.expiresAt !== undefined && user.expiresAt <= now)
    throw new DocumentError('token-expired', 'the credentials have expired')
  return user
}

/** Asks the application what a user may do, as `identify`. Whatever is not one of the three words is no access. */
export function decideAccess(
  authorize: Authorize,
  user: User | null,
  document: DocumentName,
): Answer<Access> {
  const most = user?.documents === undefined ? 'write' : accessByPatterns(user.documents, document)
  if (most === 'none') return 'none'
  const access: unknown = authorize(user, document)
  return isThenable(access)
    ? Promise.resolve(access).then((late) => atMost(most, late))
    : atMost(most, access)
}

function atMost(most: Access, access: unknown): Access {
  return isAccess(access) ? lesserAccess(access, most) : 'none'
}

/** Hooks whose wrong answer has been logged: a line for every join would bury the log. */
const reported = new WeakSet<object>()

/** The `authorize` of these hooks; the first answer that is none of the three words is logged as an error. */
export function reportingWrongAnswers(hooks: {
  readonly authorize: Authorize
  readonly logger: Logger
}): Authorize {
  const { authorize, logger } = hooks
  const checked = (access: unknown): Access => {
    if (isAccess(access)) return access
    if (!reported.has(hooks)) {
      reported.add(hooks)
      logger.error(
        "authorize must answer 'none', 'read' or 'write'; anything else gives no access",
        {
          answerType: typeof access,
        },
      )
    }
    return 'none'
  }
  return (user, document) => {
    const access: unknown = authorize(user, document)
    return isThenable(access) ? Promise.resolve(access).then(checked) : checked(access)
  }
}

/** Whatever `await` would wait for, a promise of another library too; those are made promises of Node's, by which callers know them. */
function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as Partial<PromiseLike<unknown>> | null | undefined)?.then === 'function'
}

function isUser(value: unknown): value is User {
  if (typeof value !== 'object' || value === null) return false
  const { id, expiresAt, documents } = value as Partial<Record<keyof User, unknown>>
  return (
    typeof id === 'string' &&
    id !== '' &&
    (expiresAt === undefined || (typeof expiresAt === 'number' && Number.isFinite(expiresAt))) &&
    (documents === undefined || isDocumentPatterns(documents))
  )
}
