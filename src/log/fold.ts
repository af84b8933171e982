import * as Y from 'yjs'
import { mergeAsTree } from '../../protocol/index.ts'
import { inflateChunks } from '../storage/chunk-records.ts'
import type { StoredChunk } from '../storage/storage.ts'
import { DocumentIndex } from '../update/document-index.ts'
import { NO_SCAN_LIMITS } from '../update/scan-limits.ts'
import { scanUpdate } from '../update/update-scan.ts'

/** A snapshot as it is stored, which a worker thread makes whole. */
export interface PackedSnapshot {
  readonly chunks: readonly StoredChunk[]
  /** Of the whole. */
  readonly byteLength: number
}

/** A stored document as bytes: the snapshot, if there is one, then the log after it in order. */
export interface StoredParts {
  readonly snapshot: Uint8Array | PackedSnapshot | null
  /** The index that was stored with the snapshot. */
  readonly index: Uint8Array | null
  readonly updates: Iterable<Uint8Array>
}

export interface Folded {
  readonly update: Uint8Array
  readonly index: Uint8Array
  /** Whether Yjs deleted what no update names: the value of a key that was overwritten concurrently, a child of what was deleted. */
  readonly hasFoundDeletes: boolean
  /** From a worker thread, as a storage takes them beside `update` and `index`. */
  readonly deflatedChunks?: readonly Uint8Array[]
}

function snapshotOf({ snapshot }: StoredParts): Uint8Array | null {
  if (snapshot === null || snapshot instanceof Uint8Array) return snapshot
  return inflateChunks(snapshot.chunks, snapshot.byteLength)
}

function allUpdates(parts: StoredParts): Uint8Array[] {
  const snapshot = snapshotOf(parts)
  return snapshot === null ? [...parts.updates] : [snapshot, ...parts.updates]
}

/** Entries of a log that are merged before Yjs integrates them: 16,000 keystrokes take 40 ms, one by one 75, merged into one 50. */
const ENTRIES_AT_ONCE = 64

/**
 * Entries of one transaction, at whose end Yjs collects garbage and puts neighbours together: until then each keystroke stays two objects.
 * 100,000 of them take 109 MB of heap in one transaction, 58 in such of four times as many, 38 in these; the time is the same.
 */
const ENTRIES_PER_TRANSACTION = 16 * ENTRIES_AT_ONCE

/** `look` sees each update before it is applied. */
function load(parts: StoredParts, look?: (update: Uint8Array) => void): Y.Doc {
  const doc = new Y.Doc()
  const snapshot = snapshotOf(parts)
  if (snapshot !== null) Y.applyUpdate(doc, snapshot)
  let waiting: Uint8Array[] = []
  const apply = (): void => {
    doc.transact(() => {
      for (let start = 0; start < waiting.length; start += ENTRIES_AT_ONCE)
        Y.applyUpdate(doc, mergeAsTree(waiting.slice(start, start + ENTRIES_AT_ONCE)))
    })
    waiting = []
  }
  for (const update of parts.updates) {
    look?.(update)
    waiting.push(update)
    if (waiting.length === ENTRIES_PER_TRANSACTION) apply()
  }
  apply()
  return doc
}

/**
 * Folds a log into one update through a garbage-collecting Y.Doc (merging bytes alone never forgets
 * deleted text). Throws rather than return a result that holds less than what it replaces. [T7]
 */
export function fold(parts: StoredParts): Folded {
  const expected = parts.index === null ? new DocumentIndex() : DocumentIndex.decode(parts.index)
  const doc = load(parts, (update) => {
    const scan = scanUpdate(update, expected, NO_SCAN_LIMITS)
    if (scan.verdict !== 'valid') throw new Error(`a log entry does not scan: ${scan.message}`)
    expected.apply(scan)
  })
  try {
    if (doc.store.pendingStructs !== null || doc.store.pendingDs !== null)
      throw new Error('the log has a hole: Yjs could not integrate all of it')
    const update = Y.encodeStateAsUpdate(doc)
    const folded = new DocumentIndex()
    const scan = scanUpdate(update, folded, NO_SCAN_LIMITS)
    if (scan.verdict !== 'valid') throw new Error(`the snapshot does not scan: ${scan.message}`)
    folded.apply(scan)
    if (!folded.dominates(expected)) throw new Error('the snapshot holds less than the log')
    return { update, index: folded.encode(), hasFoundDeletes: !expected.dominates(folded) }
  } finally {
    doc.destroy()
  }
}

/** What a client with this state vector lacks, as one update (with the whole delete set). */
export function diff(parts: StoredParts, stateVector: Uint8Array): Uint8Array {
  return Y.diffUpdate(mergeAsTree(allUpdates(parts)), stateVector)
}

/** The whole document as one update. */
export function merge(parts: StoredParts): Uint8Array {
  return mergeAsTree(allUpdates(parts))
}

/**
 * The shared types of a document as JSON, in UTF-8: bytes cross to the thread that asked without being copied. Yjs does not store the type of
 * a root, so it is told from the content: keys make a map, characters a text, XML nodes a fragment, anything else an array. Of the values that
 * JSON does not have, a bigint becomes its digits and bytes become Base64, both as strings.
 */
export function toJson(parts: StoredParts): Uint8Array {
  const doc = load(parts)
  try {
    const json: Record<string, unknown> = Object.create(null) as Record<string, unknown>
    for (const [name, type] of doc.share) json[name] = rootType(doc, name, type).toJSON()
    return new TextEncoder().encode(JSON.stringify(json, jsonValue))
  } finally {
    doc.destroy()
  }
}

function jsonValue(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value
}

function rootType(doc: Y.Doc, name: string, type: ReturnType<Y.Doc['get']>): { toJSON(): unknown } {
  let nested = 0
  let xml = 0
  for (let item = type._start; item !== null; item = item.right) {
    const { content } = item
    if (
      content instanceof Y.ContentString ||
      content instanceof Y.ContentFormat ||
      content instanceof Y.ContentEmbed
    )
      return doc.getText(name)
    if (item.deleted) continue
    if (!(content instanceof Y.ContentType)) return doc.getArray(name)
    nested++
    if (isXmlNode(content.type)) xml++
  }
  // An array may hold XML nodes too; a fragment holds nothing else.
  if (nested > 0) return xml === nested ? doc.getXmlFragment(name) : doc.getArray(name)
  return type._map.size > 0 ? doc.getMap(name) : doc.getText(name)
}

function isXmlNode(type: unknown): boolean {
  return type instanceof Y.XmlElement || type instanceof Y.XmlText || type instanceof Y.XmlHook
}
