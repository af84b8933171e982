import { ByteCursor } from './byte-cursor.ts'

/** What a manifest of LevelDB says about one of its sorted tables. */
export interface Table {
  readonly number: number
  readonly bytes: number
  /** Its first and last key, as tables have them: with eight bytes behind that tell the order of writing. */
  readonly smallest: Buffer
  readonly largest: Buffer
}

export interface Version {
  readonly logNumber: number
  readonly tables: ReadonlyMap<number, Table>
}

/** Behind a key in a table: sequence number and kind. */
const KEY_SUFFIX_BYTES = 8

export function userKey(tableKey: Buffer): Buffer {
  return tableKey.subarray(0, tableKey.length - KEY_SUFFIX_BYTES)
}

/** The tags of LevelDB's manifest (db/version_edit.cc). */
const COMPARATOR = 1
const LOG_NUMBER = 2
const COMPACT_POINTER = 5
const DELETED_FILE = 6
const NEW_FILE = 7

/** Null: it is not as LevelDB writes it. */
export function readVersion(records: readonly Buffer[]): Version | null {
  let logNumber = 0
  const tables = new Map<number, Table>()
  try {
    for (const record of records) {
      const cursor = new ByteCursor(record)
      while (!cursor.isAtEnd)
        switch (cursor.varint()) {
          case COMPARATOR:
            readString(cursor)
            break
          case LOG_NUMBER:
            logNumber = cursor.varint()
            break
          case COMPACT_POINTER:
            cursor.varint()
            readString(cursor)
            break
          case DELETED_FILE:
            cursor.varint()
            tables.delete(cursor.varint())
            break
          case NEW_FILE: {
            cursor.varint()
            const number = cursor.varint()
            tables.set(number, {
              number,
              bytes: cursor.varint(),
              smallest: readString(cursor),
              largest: readString(cursor),
            })
            break
          }
          default:
            // The others are one number each.
            cursor.varint()
        }
    }
    return { logNumber, tables }
  } catch {
    return null
  }
}

function readString(cursor: ByteCursor): Buffer {
  return cursor.bytes(cursor.varint())
}

export function fileName(number: number, extension: string): string {
  return `${String(number).padStart(6, '0')}.${extension}`
}
