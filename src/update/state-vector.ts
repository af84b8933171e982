import { createEncoder, toUint8Array, writeVarUint } from 'lib0/encoding'
import { MAX_CLOCK } from '../../protocol/index.ts'
import { BoundedReader, MalformedBytes } from './bounded-reader.ts'

/** Each entry takes at least a byte for the client and one for its clock. */
const MIN_ENTRY_BYTES = 2

/**
 * The clocks in a state vector that a client sent, or null where it is malformed: cut off, more
 * entries than bytes, a client twice, a clock over MAX_CLOCK, bytes that follow. Entries may come
 * in any order, as older Yjs versions and other implementations write them.
 */
export function parseStateVector(bytes: Uint8Array): Map<number, number> | null {
  try {
    return readStateVector(new BoundedReader(bytes))
  } catch (error) {
    if (error instanceof MalformedBytes) return null
    throw error
  }
}

function readStateVector(reader: BoundedReader): Map<number, number> | null {
  const count = reader.readVarUint()
  if (count * MIN_ENTRY_BYTES > reader.remaining) return null
  const clocks = new Map<number, number>()
  for (let index = 0; index < count; index++) {
    const client = reader.readVarUint()
    const clock = reader.readVarUint()
    if (clock > MAX_CLOCK || clocks.has(client)) return null
    clocks.set(client, clock)
  }
  return reader.remaining === 0 ? clocks : null
}

/** What is needed of a map of clocks. */
type Clocks = Pick<ReadonlyMap<number, number>, 'size' | 'get'> & { keys(): Iterable<number> }

/** The bytes that Y.encodeStateVector makes of these clocks: clients in descending order. */
export function encodeStateVector(clocks: Clocks): Uint8Array {
  const encoder = createEncoder()
  writeVarUint(encoder, clocks.size)
  for (const client of descending(clocks.keys())) {
    writeVarUint(encoder, client)
    writeVarUint(encoder, clocks.get(client) as number)
  }
  return toUint8Array(encoder)
}

/** Clients in the order in which Yjs writes them. */
export function descending(clients: Iterable<number>): readonly number[] {
  return [...clients].sort((left, right) => right - left)
}
