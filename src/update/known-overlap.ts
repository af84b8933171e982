import { diffUpdate } from 'yjs'
import { encodeStateVector } from './state-vector.ts'
import type { ScanResult } from './update-scan.ts'

/**
 * The update to log and relay for a valid scan: the same bytes, or, where an item reaches from known
 * clocks into new ones, that item cut at the known clock. The rest of such an item hangs on the
 * struct before it in every peer, alive or garbage-collected, and so on no claim of the sender.
 */
export function withoutKnown(
  update: Uint8Array,
  scan: Extract<ScanResult, { verdict: 'valid' }>,
): Uint8Array {
  if (!scan.overlapsKnown) return update
  return diffUpdate(update, encodeStateVector(new Map(scan.inserts.map((r) => [r.client, r.from]))))
}
