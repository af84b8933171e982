import { SignJWT } from 'jose'
import type { Access } from './access/access.ts'
import { isAccess, type DocumentPatterns } from './access/document-patterns.ts'
import { MIN_SECRET_BYTES } from './access/jwt-authenticate.ts'
import { readSecret, type JwtSettings } from './jwt-settings.ts'
import { UsageError } from './usage-error.ts'

/** What `y-rooms token` mints. */
export interface TokenRequest {
  readonly jwt: JwtSettings
  readonly user: string
  readonly name: string | null
  readonly documents: DocumentPatterns
  readonly expiresInSeconds: number
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 }

/** `30s`, `15m`, `12h`, `7d`. */
export function readDuration(text: string): number {
  const [, digits = '', unit = ''] = /^([0-9]{1,6})([smhd])$/.exec(text) ?? []
  const seconds = Number(digits) * (UNIT_SECONDS[unit] ?? 0)
  if (seconds > 0) return seconds
  throw new UsageError(
    `option --expires is ${JSON.stringify(text)}; expected a time such as 30s, 15m, 12h or 7d`,
  )
}

/** `drafts/*=write`: a pattern and what it allows; without any, everything. */
export function readPatterns(texts: readonly string[]): DocumentPatterns {
  if (texts.length === 0) return { '*': 'write' }
  return Object.fromEntries(
    texts.map((text): [string, Access] => {
      const split = text.lastIndexOf('=')
      const access: unknown = text.slice(split + 1)
      if (split > 0 && isAccess(access)) return [text.slice(0, split), access]
      throw new UsageError(
        `option --document is ${JSON.stringify(text)}; expected a pattern and none, read or write, ` +
          'such as drafts/*=write',
      )
    }),
  )
}

/** A signed token that a server with the same settings takes. Rejects with a `UsageError`. */
export async function mintToken(request: TokenRequest, nowMs: number): Promise<string> {
  const { jwt, user, name, documents, expiresInSeconds } = request
  const secret = readSecret(jwt)
  if (secret === null)
    throw new UsageError('y-rooms token signs with a secret: give JWT_SECRET or --jwt-secret-file')
  const key = new TextEncoder().encode(secret)
  if (key.length < MIN_SECRET_BYTES)
    throw new UsageError(
      `the JWT secret has ${key.length} bytes; at least ${MIN_SECRET_BYTES} are needed`,
    )
  const now = Math.floor(nowMs / 1000)
  const token = new SignJWT({ documents, ...(name === null ? {} : { name }) })
    .setProtectedHeader({ alg: jwt.algorithms[0] ?? 'HS256' })
    .setSubject(user)
    .setIssuedAt(now)
    .setExpirationTime(now + expiresInSeconds)
  if (jwt.issuer !== null) token.setIssuer(jwt.issuer)
  if (jwt.audience !== null) token.setAudience(jwt.audience)
  return token.sign(key)
}
