import { MAX_DOCUMENT_NAME_BYTES } from './limits.ts'

declare const brand: unique symbol

/** A checked document name: 1 to 512 bytes of UTF-8, well-formed, without control characters. */
export type DocumentName = string & { readonly [brand]: 'DocumentName' }

// Control characters would make log lines and keys ambiguous (the storage ends a name with U+0000).
// eslint-disable-next-line no-control-regex
const CONTROL_CHARACTER = /[\u0000-\u001f\u007f]/
const encoder = new TextEncoder()

/**
 * Says what is wrong with a document name, or null. Names are compared byte by byte: there is no
 * Unicode normalisation, no case folding, and no character has a meaning.
 */
export function documentNameFault(name: unknown): string | null {
  if (typeof name !== 'string') return 'the document name must be a string'
  if (name.length === 0) return 'the document name is empty'
  // Every UTF-16 unit takes at least one byte, so this bounds the work before anything is encoded.
  if (
    name.length > MAX_DOCUMENT_NAME_BYTES ||
    encoder.encode(name).length > MAX_DOCUMENT_NAME_BYTES
  )
    return `the document name is longer than ${MAX_DOCUMENT_NAME_BYTES} bytes of UTF-8`
  if (CONTROL_CHARACTER.test(name)) return 'the document name contains a control character'
  if (/\p{Surrogate}/u.test(name)) return 'the document name is not well-formed Unicode'
  return null
}

export function isDocumentName(name: unknown): name is DocumentName {
  return documentNameFault(name) === null
}
