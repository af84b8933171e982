import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import type * as Y from 'yjs'

export type Edit = readonly [position: number, deleteCount: number, insertText: string]

/** A real paper being written, keystroke by keystroke (see the README beside the file). */
export function readTrace(): readonly Edit[] {
  const file = new URL('../fixtures/trace/editing-trace.json.gz', import.meta.url)
  return JSON.parse(gunzipSync(readFileSync(file)).toString()) as Edit[]
}

export function applyEdit(text: Y.Text, [position, deleteCount, insertText]: Edit): void {
  if (deleteCount > 0) text.delete(position, deleteCount)
  if (insertText !== '') text.insert(position, insertText)
}

/** The text after these edits, computed without Yjs. */
export function textAfter(edits: readonly Edit[]): string {
  const text: string[] = []
  for (const [position, deleteCount, insertText] of edits)
    text.splice(position, deleteCount, ...insertText)
  return text.join('')
}
