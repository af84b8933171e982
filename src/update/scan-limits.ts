/** How much one update may hold, beyond the limit on its bytes. */
export interface ScanLimits {
  /**
   * Structs in one update. Each costs a peer about 250 bytes of heap and a microsecond; a million
   * is more than the longest published editing traces hold, and a peer still survives it.
   */
  readonly structs: number
  /** Deleted ranges in one update. Each is a search, and may cut an item in two, in every peer. */
  readonly deleteRanges: number
  /**
   * Clients in one update. Every later transaction of every peer costs time in proportion to the
   * clients that a document ever had (10,000 clients: 3 ms a keystroke).
   */
  readonly clients: number
  /**
   * How deep types may nest in the document. Yjs deletes, reads and observes them by recursion, as editors draw them:
   * at some 3,000 levels it throws. The deepest lists and tables that people make have a few dozen.
   */
  readonly nesting: number
  /** Whether a living map entry of several clocks may be cut in two. */
  readonly cutMapEntries: boolean
  /** Whether a map entry may have a right origin. */
  readonly mapRightOrigins: boolean
}

export const DEFAULT_SCAN_LIMITS: ScanLimits = {
  structs: 1_000_000,
  deleteRanges: 1_000_000,
  clients: 100_000,
  nesting: 256,
  cutMapEntries: false,
  mapRightOrigins: false,
}

/** For bytes that this server made itself: a whole document may hold more than one update may. */
export const NO_SCAN_LIMITS: ScanLimits = {
  structs: Infinity,
  deleteRanges: Infinity,
  clients: Infinity,
  nesting: Infinity,
  // What is on disk was acknowledged, at a time when less was known of places: it stays readable.
  cutMapEntries: true,
  mapRightOrigins: true,
}
