import { documentKey, entryKey, rowsBeforeGeneration } from './level-keys.ts'

/** Keys from `from` up to `upTo`, both included. */
export interface KeySpan {
  readonly from: Buffer
  readonly upTo: Buffer
}

export function spanHolds({ from, upTo }: KeySpan, key: Uint8Array): boolean {
  return Buffer.compare(key, from) >= 0 && Buffer.compare(key, upTo) <= 0
}

/** Whether the record of this document, if there is one, may lie in the span. */
export function mayHoldRecord(span: KeySpan, name: string): boolean {
  return spanHolds(span, documentKey(name))
}

/** Whether there is room for entries of this document in the span. */
export function mayHoldEntries({ from, upTo }: KeySpan, name: string): boolean {
  const { gte, lt } = rowsBeforeGeneration('entry', name)
  return Buffer.compare(gte, upTo) <= 0 && Buffer.compare(lt, from) > 0
}

/** Whether the log may have gone on in the span after entry `seq`. */
export function mayHoldNextEntry(
  span: KeySpan,
  name: string,
  generation: number,
  seq: number,
): boolean {
  return spanHolds(span, entryKey(name, generation, seq + 1))
}
