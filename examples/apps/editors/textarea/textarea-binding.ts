import { UndoManager, type Text, type YTextEvent } from 'yjs'

/** Keeps a plain textarea and a shared text equal. Undo takes back what was typed here. Returns what ends it. */
export function bindTextarea(area: HTMLTextAreaElement, text: Text): () => void {
  const origin = {}
  const undoManager = new UndoManager(text, { trackedOrigins: new Set([origin]) })

  const handleInput = (): void => {
    const { start, removed, inserted } = difference(text.toJSON(), area.value, area.selectionEnd)
    text.doc?.transact(() => {
      text.delete(start, removed)
      text.insert(start, inserted)
    }, origin)
  }
  const handleChange = (event: YTextEvent): void => {
    if (event.transaction.origin === origin) return
    const { selectionStart, selectionEnd, selectionDirection, scrollTop } = area
    area.value = text.toJSON()
    const move = (position: number): number => moved(position, event.delta)
    area.setSelectionRange(move(selectionStart), move(selectionEnd), selectionDirection)
    area.scrollTop = scrollTop
  }
  // The browser's own history forgets everything when the value is set.
  const handleKey = (event: KeyboardEvent): void => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey) return
    if (area.readOnly) return
    const key = event.key.toLowerCase()
    if (key !== 'z' && key !== 'y') return
    event.preventDefault()
    if (key === 'y' || event.shiftKey) undoManager.redo()
    else undoManager.undo()
  }

  area.value = text.toJSON()
  area.addEventListener('input', handleInput)
  area.addEventListener('keydown', handleKey)
  text.observe(handleChange)
  return () => {
    area.removeEventListener('input', handleInput)
    area.removeEventListener('keydown', handleKey)
    text.unobserve(handleChange)
    undoManager.destroy()
  }
}

/** The one edit between two texts. The cursor ends what was typed, which tells "aab" from "aba" in "a" + "a" + "b". */
function difference(before: string, after: string, cursor: number) {
  const kept = Math.min(after.length - cursor, before.length)
  let tail = 0
  while (tail < kept && before.at(-1 - tail) === after.at(-1 - tail)) tail++
  const limit = Math.min(before.length, after.length) - tail
  let start = 0
  while (start < limit && before[start] === after[start]) start++
  // A surrogate pair is one character: half of one cannot be stored.
  if (start > 0 && isHighSurrogate(after, start - 1)) start--
  if (tail > 0 && isHighSurrogate(before, before.length - tail - 1)) tail--
  return {
    start,
    removed: before.length - start - tail,
    inserted: after.slice(start, after.length - tail),
  }
}

function isHighSurrogate(text: string, index: number): boolean {
  return /^[\uD800-\uDBFF]$/.test(text[index] ?? '')
}

/** Where a position is after others' edit. Text that arrives exactly there goes behind it. */
function moved(position: number, delta: YTextEvent['delta']): number {
  let index = 0
  let result = position
  for (const { retain, insert, delete: removed } of delta) {
    if (index >= result) break
    if (retain !== undefined) index += retain
    else if (removed !== undefined) result -= Math.min(removed, result - index)
    else if (typeof insert === 'string') {
      index += insert.length
      result += insert.length
    }
  }
  return result
}
