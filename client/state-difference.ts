import { createEncoder, toUint8Array, writeVarUint } from 'lib0/encoding'
import * as Y from 'yjs'

interface Range {
  readonly clock: number
  readonly len: number
}

type Deletions = ReadonlyMap<number, readonly Range[]>

/** What the server says that it has: a state vector, and all deletions as an update without structs. */
export interface ServerState {
  readonly stateVector: Uint8Array
  readonly deletions: Uint8Array
}

/** How a Y.Doc and the server's copy differ. */
export interface StateDifference {
  /** One of them has structs that the other lacks. */
  readonly isInStructs: boolean
  /** Deletions that the server has and we lack. */
  readonly missingHere: Deletions
  /** Deletions that we have and the server lacks. */
  readonly missingThere: Deletions
}

/** Compares a Y.Doc with the server's copy, by state vector and delete set. */
export function compareStates(doc: Y.Doc, server: ServerState): StateDifference {
  const here = Y.createDeleteSetFromStructStore(doc.store).clients
  const there = Y.decodeUpdate(server.deletions).ds.clients
  return {
    isInStructs: !isSameStateVector(doc, Y.decodeStateVector(server.stateVector)),
    missingHere: without(there, here),
    missingThere: without(here, there),
  }
}

/** What is to be done about a difference. */
interface Healing {
  /** Deletions that the server lacks, as an update; null if there are none, or we may not write. */
  readonly upload: Uint8Array | null
  /** What was missing where; null for a difference that is none of anybody's making. */
  readonly message: string | null
}

export function planHealing(
  doc: Y.Doc,
  { isInStructs, missingHere, missingThere }: StateDifference,
  access: 'read' | 'write',
): Healing {
  // What a reader's Yjs tidies up by itself stays with the reader.
  const isUploading = access === 'write' && missingThere.size > 0
  const here = countUnexplained(doc, missingHere)
  const there = isUploading ? countUnexplained(doc, missingThere) : 0
  const faults = [
    ...(isInStructs ? ['one of them lacked changes'] : []),
    ...(here > 0 ? [`${here} deletions were missing here`] : []),
    ...(there > 0 ? [`${there} deletions were missing on the server`] : []),
  ]
  return {
    upload: isUploading ? encodeDeletions(missingThere) : null,
    message:
      faults.length === 0
        ? null
        : `this copy and the server's had become different: ${faults.join(', ')}`,
  }
}

/** A Yjs V1 update that deletes these, and adds nothing. */
function encodeDeletions(deletions: Deletions): Uint8Array {
  const encoder = createEncoder()
  // No structs.
  writeVarUint(encoder, 0)
  writeVarUint(encoder, deletions.size)
  for (const client of [...deletions.keys()].sort((left, right) => right - left)) {
    const ranges = deletions.get(client) as readonly Range[]
    writeVarUint(encoder, client)
    writeVarUint(encoder, ranges.length)
    for (const { clock, len } of ranges) {
      writeVarUint(encoder, clock)
      writeVarUint(encoder, len)
    }
  }
  return toUint8Array(encoder)
}

/**
 * How many of these runs of deletions no Yjs replica makes by itself. Some follow from other changes and are in no update: the
 * loser of a map key that two set at once, what hangs below something deleted, and formatting marks that have become redundant.
 * A server that reads only updates may not know of them yet; that is no divergence.
 */
function countUnexplained(doc: Y.Doc, deletions: Deletions): number {
  let count = 0
  for (const [client, ranges] of deletions) {
    const structs = doc.store.clients.get(client) ?? []
    for (const { clock, len } of ranges) if (!isExplained(structs, clock, clock + len)) count++
  }
  return count
}

function isExplained(structs: readonly (Y.Item | Y.GC)[], from: number, to: number): boolean {
  const last = structs.at(-1)
  if (last === undefined || from >= last.id.clock + last.length) return false
  const first = Y.findIndexSS(structs as (Y.Item | Y.GC)[], from)
  for (let index = first; index < structs.length; index++) {
    const struct = structs[index] as Y.Item | Y.GC
    if (struct.id.clock >= to) break
    if (struct instanceof Y.Item && !followsByItself(struct)) return false
  }
  return true
}

function followsByItself({ content, parent, parentSub, right }: Y.Item): boolean {
  return (
    content instanceof Y.ContentFormat ||
    (parentSub !== null && right !== null) ||
    (parent instanceof Y.AbstractType && parent._item?.deleted === true)
  )
}

function isSameStateVector(doc: Y.Doc, server: ReadonlyMap<number, number>): boolean {
  const mine = Y.decodeStateVector(Y.encodeStateVector(doc))
  if (mine.size !== server.size) return false
  for (const [client, clock] of mine) if (server.get(client) !== clock) return false
  return true
}

/** What is in the one and not in the other. The ranges of both are sorted and do not overlap. */
function without(one: Deletions, other: Deletions): Deletions {
  const rest = new Map<number, readonly Range[]>()
  for (const [client, ranges] of one) {
    const left = subtract(ranges, other.get(client) ?? [])
    if (left.length > 0) rest.set(client, left)
  }
  return rest
}

function subtract(ranges: readonly Range[], others: readonly Range[]): Range[] {
  const left: Range[] = []
  let next = 0
  for (const { clock, len } of ranges) {
    const end = clock + len
    let from = clock
    while (next < others.length && endOf(others[next] as Range) <= from) next++
    for (let index = next; index < others.length && from < end; index++) {
      const other = others[index] as Range
      if (other.clock >= end) break
      if (other.clock > from) left.push({ clock: from, len: other.clock - from })
      from = Math.max(from, endOf(other))
    }
    if (from < end) left.push({ clock: from, len: end - from })
  }
  return left
}

const endOf = ({ clock, len }: Range): number => clock + len
