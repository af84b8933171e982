/** Many updates in one buffer, which goes to another thread without being copied, and costs the collector one object. */
export interface PackedUpdates {
  readonly bytes: Uint8Array
  readonly lengths: Uint32Array
}

/** In buffers of their own. */
export function packUpdates(updates: readonly Uint8Array[]): PackedUpdates {
  const lengths = Uint32Array.from(updates, (update) => update.length)
  const bytes = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0))
  let offset = 0
  for (const update of updates) {
    bytes.set(update, offset)
    offset += update.length
  }
  return { bytes, lengths }
}

/** The updates again, as views. */
export function unpackUpdates({ bytes, lengths }: PackedUpdates): Uint8Array[] {
  const updates: Uint8Array[] = []
  let offset = 0
  for (const length of lengths) updates.push(bytes.subarray(offset, (offset += length)))
  return updates
}
