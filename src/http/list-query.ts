import type { ListRequest } from '../storage/storage.ts'
import { HttpError } from './problem.ts'

const DEFAULT_LIMIT = 100
/** Names have up to 512 bytes, so a page stays below a megabyte. */
const MAX_LIMIT = 1000
const PARAMETERS = ['prefix', 'limit', 'cursor']

/** Reads `?prefix=&limit=&cursor=`; what is not understood is refused rather than ignored. */
export function readListQuery(query: Readonly<Record<string, unknown>>): ListRequest {
  for (const name of Object.keys(query))
    if (!PARAMETERS.includes(name))
      throw new HttpError(
        'invalid-parameter',
        `unknown parameter ${name}; known are ${PARAMETERS.join(', ')}`,
      )
  const prefix = readText(query, 'prefix')
  const cursor = readText(query, 'cursor')
  return {
    limit: readLimit(readText(query, 'limit')),
    ...(prefix === undefined ? {} : { prefix }),
    ...(cursor === undefined ? {} : { after: cursor }),
  }
}

function readText(query: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = query[name]
  if (value === undefined || value === '') return undefined
  if (typeof value === 'string') return value
  throw new HttpError('invalid-parameter', `parameter ${name} is given more than once`)
}

function readLimit(text: string | undefined): number {
  if (text === undefined) return DEFAULT_LIMIT
  const limit = /^[0-9]{1,9}$/.test(text) ? Number(text) : 0
  if (limit >= 1 && limit <= MAX_LIMIT) return limit
  throw new HttpError(
    'invalid-parameter',
    `parameter limit is ${JSON.stringify(text)}; allowed are 1 to ${MAX_LIMIT}`,
  )
}
