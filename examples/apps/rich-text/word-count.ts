import type { Editor } from '@tiptap/core'

/** Counting reads the whole text, which a long document should not do at every keystroke. */
const COUNT_AFTER_MS = 300

/** Shows how long the text is, soon after it changed. */
export function showLength(place: HTMLElement, editor: Editor): void {
  let timer: ReturnType<typeof setTimeout> | undefined
  const show = (): void => {
    timer = undefined
    const text = editor.getText({ blockSeparator: '\n' })
    const words = text.match(/\S+/g)?.length ?? 0
    const characters = text.replaceAll('\n', '').length
    place.textContent = `${plural(words, 'word')} · ${plural(characters, 'character')}`
  }
  editor.on('transaction', ({ transaction }) => {
    if (transaction.docChanged) timer ??= setTimeout(show, COUNT_AFTER_MS)
  })
  show()
}

function plural(count: number, noun: string): string {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`
}
