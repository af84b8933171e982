import { diffUpdate } from 'yjs'
import { encodeStateVector } from './state-vector.ts'
import type { ScanResult } from './update-scan.ts'

/**
 * The update to log and relay for a valid scan: the same bytes, or, where the document has some of its structs, what is
 * new. So a log has one version of every clock, and is the same document however its entries are merged.
 * What is left of an item that was cut hangs on the struct before it in every peer, and so on no claim of the sender.
 */
export function withoutKnown(
  update: Uint8Array,
  scan: Extract<ScanResult, { verdict: 'valid' }>,
): Uint8Array {
  if (scan.known.length === 0) return update
  return diffUpdate(
    update,
    encodeStateVector(new Map(scan.known.map(({ client, clock }) => [client, clock]))),
  )
}
