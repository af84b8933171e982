/**
 * Names one history of a document. Opaque; compared for equality only. Two documents of different
 * epochs are never merged, even under one name.
 */
export type Epoch = string

/**
 * "I have everything of this epoch up to here." Sequence numbers count the accepted updates of one
 * document from 1; 0 is the empty document.
 */
export interface Cursor {
  readonly epoch: Epoch
  readonly seq: number
}

export const MAX_EPOCH_LENGTH = 64

export function isSequenceNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
