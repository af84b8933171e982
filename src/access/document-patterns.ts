import type { DocumentName } from '../../protocol/index.ts'
import type { Access } from './access.ts'

/**
 * What is allowed in documents whose names match. `*` stands for any characters, `/` and none included; everything else for
 * itself. A name that is written out wins; then the pattern with the most other characters; of two equally long ones the
 * one that allows less. A name that nothing matches is not allowed.
 */
export type DocumentPatterns = Readonly<Record<string, Access>>

const RANK: Readonly<Record<Access, number>> = { none: 0, read: 1, write: 2 }

export function isAccess(value: unknown): value is Access {
  return value === 'none' || value === 'read' || value === 'write'
}

export function isDocumentPatterns(value: unknown): value is DocumentPatterns {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every(isAccess)
  )
}

export function lesserAccess(left: Access, right: Access): Access {
  return RANK[left] < RANK[right] ? left : right
}

export function accessByPatterns(patterns: DocumentPatterns, name: DocumentName): Access {
  // A hostile token's pattern may be called `__proto__`.
  if (Object.hasOwn(patterns, name)) return patterns[name] as Access
  let best: { readonly length: number; readonly access: Access } | null = null
  for (const [pattern, access] of Object.entries(patterns)) {
    if (!matches(pattern, name)) continue
    const length = pattern.replaceAll('*', '').length
    if (best === null || length > best.length) best = { length, access }
    else if (length === best.length) best = { length, access: lesserAccess(access, best.access) }
  }
  return best?.access ?? 'none'
}

/** One pass over the name, whatever the pattern: each part is searched once, behind the one before it. */
function matches(pattern: string, name: string): boolean {
  const parts = pattern.split('*')
  if (parts.length === 1) return pattern === name
  const first = parts.shift() as string
  const last = parts.pop() as string
  if (name.length < first.length + last.length) return false
  if (!name.startsWith(first) || !name.endsWith(last)) return false
  const end = name.length - last.length
  let position = first.length
  for (const part of parts) {
    const found = name.indexOf(part, position)
    if (found === -1 || found + part.length > end) return false
    position = found + part.length
  }
  return true
}
