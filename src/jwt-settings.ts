import { readFileSync } from 'node:fs'
import type { Access } from './access/access.ts'
import { isAccess } from './access/document-patterns.ts'
import { UsageError } from './usage-error.ts'

/** How the command line checks and mints tokens: the settings as they were given. */
export interface JwtSettings {
  readonly secret: string | null
  readonly secretFile: string | null
  readonly jwksUrl: string | null
  readonly algorithms: readonly string[]
  readonly issuer: string | null
  readonly audience: string | null
  /** What a token without a `documents` claim may do with every document. */
  readonly defaultAccess: Access
}

/** The texts of the settings; null where nothing was given. */
export interface JwtTexts extends Record<
  'secret' | 'secretFile' | 'jwksUrl' | 'issuer' | 'audience' | 'defaultAccess',
  string | null
> {
  readonly algorithms: readonly string[]
}

/** Null when tokens are not asked for. Throws a `UsageError` when the settings contradict each other. */
export function readJwtSettings(texts: JwtTexts): JwtSettings | null {
  const { defaultAccess, ...rest } = texts
  const keys = [texts.secret, texts.secretFile, texts.jwksUrl].filter((text) => text !== null)
  if (keys.length > 1)
    throw new UsageError(
      'tokens are checked by one key: give JWT_SECRET, --jwt-secret-file or --jwt-jwks-url',
    )
  if (keys.length === 0) {
    const { issuer, audience, algorithms } = texts
    // Whoever names an audience believes that tokens are checked.
    if ([issuer, audience, defaultAccess, ...algorithms].some((text) => text !== null))
      throw new UsageError(
        'tokens are not checked without a key: give JWT_SECRET, --jwt-secret-file or --jwt-jwks-url',
      )
    return null
  }
  if (defaultAccess !== null && !isAccess(defaultAccess))
    throw new UsageError(
      `option --jwt-default-access is ${JSON.stringify(defaultAccess)}; allowed are none, read and write`,
    )
  return { ...rest, defaultAccess: defaultAccess ?? 'none' }
}

/** The shared secret, from the environment or its file; null with a JWKS URL. Throws a `UsageError`. */
export function readSecret({ secret, secretFile }: JwtSettings): string | null {
  if (secretFile === null) return secret
  try {
    // Editors end a file with a line break, which nobody means to be part of the secret.
    return readFileSync(secretFile, 'utf8').replace(/\r?\n$/, '')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : ''
    throw new UsageError(`option --jwt-secret-file: cannot read ${secretFile}${code}`)
  }
}
