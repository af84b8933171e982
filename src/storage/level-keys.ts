/**
 * The keys of the database. Every key starts with its kind; what belongs to a document goes on with
 * the name's UTF-8 bytes and a zero byte, then numbers of fixed width, big endian:
 *
 *     format      00
 *     document    01 name 00
 *     entry       02 name 00 generation(4) seq(8)
 *     manifest    03 name 00 generation(4) seq(8)
 *     chunk       04 name 00 generation(4) seq(8) number(4)
 *     unswept     05 name 00
 *     merged      06
 *     format      ff            (once more)
 *
 * A name has no control characters, so the zero byte ends it: no key is a prefix of another, names sort
 * by their bytes, and the rows of one document lie side by side, older before newer.
 */
const KIND_BYTES = 1
const TERMINATOR_BYTES = 1
const GENERATION_BYTES = 4
const SEQ_BYTES = 8
const CHUNK_NUMBER_BYTES = 4
const UINT32_SPAN = 2 ** 32
/** Above every byte of UTF-8. */
const AFTER_UTF8 = 0xff

const FORMAT = 0
const DOCUMENT = 1
const ENTRY = 2
const MANIFEST = 3
const CHUNK = 4
const UNSWEPT = 5
const MERGED = 6

/** The kinds whose rows belong to one generation of a document. */
export type RowKind = 'entry' | 'manifest' | 'chunk'

const ROW_KINDS = { entry: ENTRY, manifest: MANIFEST, chunk: CHUNK } as const satisfies Record<
  RowKind,
  number
>

/** From `gte` on, without `lt`. */
export interface KeyRange {
  readonly gte: Uint8Array
  readonly lt: Uint8Array
}

export const FORMAT_KEY: Uint8Array = Uint8Array.of(FORMAT)

/** The row under this key tells how large the tables were when they had been merged. */
export const MERGED_KEY: Uint8Array = Uint8Array.of(MERGED)

export const ALL_KEYS: KeyRange = { gte: FORMAT_KEY, lt: Uint8Array.of(0xff, 0xff) }

/** Behind all other rows, and so hardly ever in the same block of a table as the first: without either nothing can be opened. */
export const FORMAT_COPY_KEY: Uint8Array = Uint8Array.of(0xff)

export function documentKey(name: string): Uint8Array {
  return namedKey(DOCUMENT, name, 0)
}

/** A row under this key says that the document may have rows which its record no longer needs. */
export function unsweptKey(name: string): Uint8Array {
  return namedKey(UNSWEPT, name, 0)
}

export function entryKey(name: string, generation: number, seq: number): Uint8Array {
  return rowKey(ENTRY, name, generation, seq, 0)
}

export function manifestKey(name: string, generation: number, seq: number): Uint8Array {
  return rowKey(MANIFEST, name, generation, seq, 0)
}

export function chunkKey(
  name: string,
  generation: number,
  seq: number,
  number: number,
): Uint8Array {
  const key = rowKey(CHUNK, name, generation, seq, CHUNK_NUMBER_BYTES)
  key.writeUInt32BE(number, key.length - CHUNK_NUMBER_BYTES)
  return key
}

/** The rows of one generation with `fromSeq` <= seq < `toSeq`. */
export function rowRange(
  kind: RowKind,
  name: string,
  generation: number,
  fromSeq: number,
  toSeq: number,
): KeyRange {
  const byte = ROW_KINDS[kind]
  return {
    gte: rowKey(byte, name, generation, fromSeq, 0),
    lt: rowKey(byte, name, generation, toSeq, 0),
  }
}

/** The rows of all generations before this one; of every generation when none is given. */
export function rowsBeforeGeneration(
  kind: RowKind,
  name: string,
  generation = UINT32_SPAN - 1,
): KeyRange {
  const byte = ROW_KINDS[kind]
  return { gte: namedKey(byte, name, 0), lt: rowKey(byte, name, generation, 0, 0) }
}

/** The document records of the names that start with `prefix` and come after `after`. */
export function documentRange(prefix: string, after: string | undefined): KeyRange {
  const first = Buffer.concat([Buffer.of(DOCUMENT), Buffer.from(prefix)])
  const lt = Buffer.concat([first, Buffer.of(AFTER_UTF8)])
  if (after === undefined) return { gte: first, lt }
  // One zero byte more than the key of `after` is the smallest key behind it.
  const behind = namedKey(DOCUMENT, after, 1)
  behind[behind.length - 1] = 0
  return { gte: Buffer.compare(first, behind) > 0 ? first : behind, lt }
}

export const UNSWEPT_RANGE: KeyRange = {
  gte: Uint8Array.of(UNSWEPT),
  lt: Uint8Array.of(UNSWEPT + 1),
}

/** The name in the key of a document record or of an unswept mark. */
export function nameOfKey(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString(
    'utf8',
    KIND_BYTES,
    key.length - TERMINATOR_BYTES,
  )
}

/** The name in the key of a row of any kind but the format. */
export function nameOfRow(key: Uint8Array): string {
  return nameOfKey(key.subarray(0, key.indexOf(0, KIND_BYTES) + TERMINATOR_BYTES))
}

/** The keys of all document records. */
export const RECORD_RANGE: KeyRange = {
  gte: Uint8Array.of(DOCUMENT),
  lt: Uint8Array.of(DOCUMENT + 1),
}

/** Where the entries of documents begin whose records are not before `recordKey`. */
export function entriesFromRecord(recordKey: Uint8Array): Uint8Array {
  const name = recordKey[0] === DOCUMENT ? recordKey.subarray(KIND_BYTES) : new Uint8Array()
  return Buffer.concat([Buffer.of(ENTRY), name])
}

/** Behind the entries of this document, and before those of the next. */
export function behindEntriesOf(name: string): Uint8Array {
  const key = namedKey(ENTRY, name, 0)
  key[key.length - 1] = 1
  return key
}

/** Behind the entries of all documents. */
export const BEHIND_ENTRIES: Uint8Array = Uint8Array.of(ENTRY + 1)

/** The sequence number in the key of an entry. */
export function seqOfEntryKey(key: Uint8Array): number {
  const view = new DataView(key.buffer, key.byteOffset + key.byteLength - SEQ_BYTES, SEQ_BYTES)
  return view.getUint32(0) * UINT32_SPAN + view.getUint32(4)
}

function rowKey(
  kind: number,
  name: string,
  generation: number,
  seq: number,
  spareBytes: number,
): Buffer {
  const key = namedKey(kind, name, GENERATION_BYTES + SEQ_BYTES + spareBytes)
  const offset = key.length - spareBytes - SEQ_BYTES - GENERATION_BYTES
  key.writeUInt32BE(generation, offset)
  key.writeUInt32BE(Math.floor(seq / UINT32_SPAN), offset + GENERATION_BYTES)
  key.writeUInt32BE(seq % UINT32_SPAN, offset + GENERATION_BYTES + 4)
  return key
}

function namedKey(kind: number, name: string, spareBytes: number): Buffer {
  const nameBytes = Buffer.byteLength(name)
  const key = Buffer.allocUnsafe(KIND_BYTES + nameBytes + TERMINATOR_BYTES + spareBytes)
  key[0] = kind
  key.write(name, KIND_BYTES)
  key[KIND_BYTES + nameBytes] = 0
  return key
}
