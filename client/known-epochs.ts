import type * as Y from 'yjs'
import type { Epoch } from '../protocol/index.ts'

/**
 * Which history of which document a Y.Doc holds, for the life of the Y.Doc: a second provider on it must not
 * bring the content of a deleted document back.
 */
const epochs = new WeakMap<Y.Doc, Map<string, Epoch>>()

export function knownEpoch(doc: Y.Doc, serverUrl: string, documentName: string): Epoch | null {
  return epochs.get(doc)?.get(keyOf(serverUrl, documentName)) ?? null
}

export function rememberEpoch(
  doc: Y.Doc,
  serverUrl: string,
  documentName: string,
  epoch: Epoch,
): void {
  let known = epochs.get(doc)
  if (known === undefined) epochs.set(doc, (known = new Map()))
  known.set(keyOf(serverUrl, documentName), epoch)
}

/** A URL has no space. */
const keyOf = (serverUrl: string, documentName: string): string => `${serverUrl} ${documentName}`
