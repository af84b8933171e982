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

/**
 * Asks the application who this is; null when it has no `authenticate`. Whatever is not clearly a user is refused:
 * a hook that forgets to return anything must not open the door.
 */
export async function identify(
  authenticate: Authenticate | null,
  handshake: Handshake,
  now: number,
): Promise<User | null> {
  if (authenticate === null) return null
  const user: unknown = await authenticate(handshake)
  if (!isUser(user)) throw new DocumentError('unauthenticated', 'the credentials were refused')
  if (user.expiresAt !== undefined && user.expiresAt <= now)
    throw new DocumentError('token-expired', 'the credentials have expired')
  return user
}

/** Asks the application what a user may do. Whatever is not one of the three words is no access. */
export async function decideAccess(
  authorize: Authorize,
  user: User | null,
  document: DocumentName,
): Promise<Access> {
  const most = user?.documents === undefined ? 'write' : accessByPatterns(user.documents, document)
  if (most === 'none') return 'none'
  const access: unknown = await authorize(user, document)
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
  return async (user, document) => {
    const access: unknown = await authorize(user, document)
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
