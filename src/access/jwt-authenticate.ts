import { createRemoteJWKSet, errors, jwtVerify, type JWTPayload, type JWTVerifyOptions } from 'jose'
import { systemClock, type Clock } from '../clock.ts'
import { DocumentError, OptionError } from '../errors.ts'
import { MAX_TOKEN_LENGTH, type Authenticate, type User } from './access.ts'
import { isDocumentPatterns } from './document-patterns.ts'

/** How `jwtAuthenticate` checks tokens: with one shared secret, or with the public keys at a JWKS URL. */
export interface JwtOptions {
  /** For HMAC: at least 32 bytes of UTF-8, as random as a key. Either this or `jwksUrl`. */
  readonly secret?: string
  /** Where an identity provider publishes its public keys; https, or http on this machine. They are cached for ten minutes. */
  readonly jwksUrl?: string
  /**
   * The signature algorithms that are accepted. Default: HS256 with a secret; RS256, PS256, ES256, EdDSA with a JWKS URL. A secret
   * takes HMAC algorithms only and a JWKS URL takes none: a public key is never a secret.
   */
  readonly algorithms?: readonly string[]
  /** `iss` must be one of these. Default: not looked at. */
  readonly issuer?: string | readonly string[]
  /** `aud` must hold one of these. Default: not looked at. */
  readonly audience?: string | readonly string[]
  /** How far clocks may be apart when `exp` and `nbf` are looked at, in seconds. Default 5. */
  readonly clockToleranceSeconds?: number
  /** Time; tests move it by hand. */
  readonly clock?: Clock
}

/** A key that is shorter than the hash is easier to guess than the hash (RFC 7518, 3.2). */
export const MIN_SECRET_BYTES = 32
const HMAC_ALGORITHMS = ['HS256', 'HS384', 'HS512']
const PUBLIC_ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
]
const DEFAULT_PUBLIC_ALGORITHMS = ['RS256', 'PS256', 'ES256', 'EdDSA']
const DEFAULT_TOLERANCE_SECONDS = 5
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/

/**
 * An `authenticate` that takes a JSON Web Token as the client's `auth.token`, or as `Authorization: Bearer` over HTTP. The token
 * must be signed, and have `sub` (the user's id) and `exp`; `nbf`, `iss` and `aud` are checked as the options say. `documents`
 * becomes `User.documents`, `name` the name that the user's presence shows, `exp` the end of the session (`User.expiresAt`).
 *
 * Refuses with `token-expired` or `unauthenticated`; a JWKS URL that does not answer refuses with `internal-error`, to be tried
 * again. Throws an `OptionError` for options that do not make sense.
 */
export function jwtAuthenticate(options: JwtOptions): Authenticate {
  const { clock = systemClock, clockToleranceSeconds = DEFAULT_TOLERANCE_SECONDS } = options
  if (!(clockToleranceSeconds >= 0 && clockToleranceSeconds <= 3600))
    throw new OptionError(
      `option clockToleranceSeconds is ${clockToleranceSeconds}; allowed are 0 to 3600 seconds`,
    )
  const check = checkSignature(options)
  const rules: JWTVerifyOptions = {
    algorithms: algorithmsOf(options),
    requiredClaims: ['sub', 'exp'],
    clockTolerance: clockToleranceSeconds,
    ...(options.issuer === undefined ? {} : { issuer: [options.issuer].flat() as string[] }),
    ...(options.audience === undefined ? {} : { audience: [options.audience].flat() as string[] }),
  }
  return async ({ auth }) => {
    const { token } = auth
    if (typeof token !== 'string' || token === '' || token.length > MAX_TOKEN_LENGTH)
      throw new DocumentError('unauthenticated', 'a token is needed')
    try {
      const payload = await check(token, { ...rules, currentDate: new Date(clock.now()) })
      return userOf(payload, clockToleranceSeconds)
    } catch (error) {
      throw refusalOf(error)
    }
  }
}

type Check = (token: string, rules: JWTVerifyOptions) => Promise<JWTPayload>

function checkSignature({ secret, jwksUrl }: JwtOptions): Check {
  if ((secret === undefined) === (jwksUrl === undefined))
    throw new OptionError('jwtAuthenticate takes either secret or jwksUrl')
  if (secret !== undefined) {
    const key = new TextEncoder().encode(secret)
    if (key.length < MIN_SECRET_BYTES)
      throw new OptionError(
        `option secret has ${key.length} bytes; at least ${MIN_SECRET_BYTES} are needed`,
      )
    return async (token, rules) => (await jwtVerify(token, key, rules)).payload
  }
  const keys = createRemoteJWKSet(checkedUrl(jwksUrl as string))
  return async (token, rules) => (await jwtVerify(token, keys, rules)).payload
}

function algorithmsOf({ secret, algorithms }: JwtOptions): string[] {
  const allowed = secret === undefined ? PUBLIC_ALGORITHMS : HMAC_ALGORITHMS
  if (algorithms === undefined) return secret === undefined ? DEFAULT_PUBLIC_ALGORITHMS : ['HS256']
  const wrong = algorithms.find((name) => !allowed.includes(name))
  if (wrong !== undefined || algorithms.length === 0)
    throw new OptionError(
      `option algorithms has ${JSON.stringify(wrong ?? null)}; allowed are ${allowed.join(', ')}`,
    )
  return [...algorithms]
}

function checkedUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url?.protocol === 'https:') return url
  // Whoever can change what comes over plain http decides who is let in.
  if (url?.protocol === 'http:' && LOOPBACK.test(url.hostname)) return url
  throw new OptionError(
    `option jwksUrl is ${JSON.stringify(text)}; expected an https URL, or http on this machine`,
  )
}

function userOf(payload: JWTPayload, toleranceSeconds: number): User {
  const { sub, exp, name } = payload
  const { documents } = payload
  if (typeof sub !== 'string' || sub === '' || typeof exp !== 'number')
    throw new DocumentError('unauthenticated', 'the token names no user')
  if (documents !== undefined && !isDocumentPatterns(documents))
    throw new DocumentError('unauthenticated', 'the token has a documents claim of another form')
  return {
    id: sub,
    expiresAt: (exp + toleranceSeconds) * 1000,
    ...(documents === undefined ? {} : { documents }),
    ...(typeof name === 'string' ? { presence: { name } } : {}),
  }
}

/** What is wrong with the token is the client's concern; a key server that does not answer is not. */
function refusalOf(error: unknown): unknown {
  if (error instanceof errors.JWTExpired)
    return new DocumentError('token-expired', 'the token has expired', { cause: error })
  const isOurs =
    error instanceof errors.JWKSTimeout ||
    error instanceof errors.JWKSInvalid ||
    // What the key server answered with an error status.
    (error instanceof errors.JOSEError && error.code === 'ERR_JOSE_GENERIC')
  if (!(error instanceof errors.JOSEError) || isOurs) return error
  return new DocumentError('unauthenticated', 'the token was refused', { cause: error })
}
