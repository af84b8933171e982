import { MalformedBytes, type BoundedReader } from './bounded-reader.ts'
import { isJson } from './json-syntax.ts'
import { utf16Length } from './utf8.ts'

/** The kinds of struct and content in the low five bits of a struct's info byte. */
export const GC_REF = 0
export const DELETED_REF = 1
export const SKIP_REF = 10

/**
 * How deep values may nest. Yjs and most editors read them by recursion; no real value comes near,
 * and a thousand levels burden every peer.
 */
const MAX_NESTING = 64

/** Yjs's type numbers run from 0 (YArray) to 6 (YXmlText); these two are followed by a name. */
const MAX_TYPE_REF = 6
const XML_ELEMENT_REF = 3
const XML_HOOK_REF = 5

/** lib0's tags of `any` values. */
const ANY_UNDEFINED = 127
const ANY_NULL = 126
const ANY_INTEGER = 125
const ANY_FLOAT32 = 124
const ANY_FLOAT64 = 123
const ANY_BIGINT = 122
const ANY_FALSE = 121
const ANY_TRUE = 120
const ANY_STRING = 119
const ANY_OBJECT = 118
const ANY_ARRAY = 117
const ANY_BYTES = 116

const UNDEFINED_TEXT = new TextEncoder().encode('undefined')

/** The longest option name of a subdocument that Yjs writes, `autoLoad`. */
const MAX_OPTION_NAME_BYTES = 8

/** Moves over an item's content and returns how many clocks it takes; 0 is for the caller to refuse. */
export function readContentLength(reader: BoundedReader, ref: number): number {
  switch (ref) {
    case DELETED_REF:
      return reader.readVarUint()
    case 2:
      return readJsonContent(reader)
    case 3:
      reader.skipVarBytes()
      return 1
    case 4:
      return reader.skipVarString()
    case 5:
      skipJson(reader)
      return 1
    case 6:
      reader.skipVarString()
      skipJson(reader)
      return 1
    case 7:
      skipType(reader)
      return 1
    case 8:
      return readAnyContent(reader)
    case 9:
      reader.skipVarString()
      skipSubdocumentOptions(reader)
      return 1
    default:
      throw new MalformedBytes(`content of the unknown kind ${ref}`)
  }
}

function readJsonContent(reader: BoundedReader): number {
  const length = reader.readVarUint()
  // Each text takes at least its length byte, so the loop ends with the bytes, whatever it was told.
  for (let index = 0; index < length; index++) {
    const start = reader.skipVarBytes()
    if (!isUndefinedText(reader, start)) checkJson(reader, start)
  }
  return length
}

/** Yjs writes the value undefined as this bare word, which is not JSON. */
function isUndefinedText(reader: BoundedReader, start: number): boolean {
  return (
    reader.position - start === UNDEFINED_TEXT.length &&
    UNDEFINED_TEXT.every((byte, at) => reader.bytes[start + at] === byte)
  )
}

function skipJson(reader: BoundedReader): void {
  checkJson(reader, reader.skipVarBytes())
}

function checkJson(reader: BoundedReader, start: number): void {
  const { bytes, position } = reader
  if (utf16Length(bytes, start, position) < 0 || !isJson(bytes, start, position, MAX_NESTING))
    throw new MalformedBytes('a value is not JSON, or nests too deep')
}

function skipType(reader: BoundedReader): void {
  const type = reader.readVarUint()
  if (type > MAX_TYPE_REF) throw new MalformedBytes(`the unknown Yjs type ${type}`)
  if (type === XML_ELEMENT_REF || type === XML_HOOK_REF) reader.skipVarString()
}

function readAnyContent(reader: BoundedReader): number {
  const length = reader.readVarUint()
  // Each value takes at least a byte, so the loop ends with the bytes, whatever the length says.
  for (let index = 0; index < length; index++) skipAny(reader, MAX_NESTING)
  return length
}

function skipAny(reader: BoundedReader, depth: number): void {
  const tag = reader.readUint8()
  switch (tag) {
    case ANY_UNDEFINED:
    case ANY_NULL:
    case ANY_FALSE:
    case ANY_TRUE:
      return
    case ANY_INTEGER:
      reader.skipVarInt()
      return
    case ANY_FLOAT32:
      reader.skip(4)
      return
    case ANY_FLOAT64:
    case ANY_BIGINT:
      reader.skip(8)
      return
    case ANY_STRING:
      reader.skipVarString()
      return
    case ANY_BYTES:
      reader.skipVarBytes()
      return
    case ANY_OBJECT:
    case ANY_ARRAY: {
      if (depth === 0) throw new MalformedBytes('a value nests too deep')
      const entries = reader.readVarUint()
      for (let index = 0; index < entries; index++) {
        if (tag === ANY_OBJECT) reader.skipVarString()
        skipAny(reader, depth - 1)
      }
      return
    }
    default:
      throw new MalformedBytes(`a value of the unknown kind ${tag}`)
  }
}

/**
 * Peers construct a Y.Doc from these options, so only what Yjs itself writes may pass: another key
 * could replace the guid or hand in something that is not a function.
 */
function skipSubdocumentOptions(reader: BoundedReader): void {
  if (reader.readUint8() !== ANY_OBJECT)
    throw new MalformedBytes("a subdocument's options are not an object")
  const entries = reader.readVarUint()
  for (let index = 0; index < entries; index++) {
    const option = readOptionName(reader)
    if (option === 'meta') {
      skipAny(reader, MAX_NESTING - 1)
    } else if (option === 'gc' || option === 'autoLoad') {
      const tag = reader.readUint8()
      if (tag !== ANY_TRUE && tag !== ANY_FALSE)
        throw new MalformedBytes(`a subdocument's option ${option} is not a boolean`)
    } else {
      throw new MalformedBytes('a subdocument has an unknown option')
    }
  }
}

function readOptionName(reader: BoundedReader): string {
  const start = reader.skipVarBytes()
  if (reader.position - start > MAX_OPTION_NAME_BYTES) return ''
  return String.fromCharCode(...reader.bytes.subarray(start, reader.position))
}
