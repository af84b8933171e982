import { mergeUpdates } from 'yjs'

/**
 * How many updates one call of Yjs merges. Its cost grows with the square of the number of inputs
 * (8,000 one-character updates: 1.4 s at once, 0.02 s in groups of 64), so larger sets are merged
 * as a tree.
 */
const GROUP = 64

/** The one update that stands for all of these, applied in order. At least one update is expected. */
export function mergeAsTree(updates: readonly Uint8Array[]): Uint8Array {
  let level = updates
  while (level.length > 1) {
    const next: Uint8Array[] = []
    for (let start = 0; start < level.length; start += GROUP) {
      const group = level.slice(start, start + GROUP)
      next.push(group.length === 1 ? (group[0] as Uint8Array) : mergeUpdates(group))
    }
    level = next
  }
  const merged = level[0]
  if (merged === undefined) throw new TypeError('mergeAsTree expects at least one update')
  return merged
}
