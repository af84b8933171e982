import type { Editor } from '@tiptap/core'
import type { Node } from '@tiptap/pm/model'

/** A number that changes at every keystroke is hard to read. */
const COUNT_AFTER_MS = 300

/** Shows how long the text is, soon after it changed. */
export function showLength(place: HTMLElement, editor: Editor): void {
  // A block that nobody edits stays the same object; reading a megabyte anew would stop the typing for some 40 ms.
  const lengths = new WeakMap<Node, Length>()
  let timer: ReturnType<typeof setTimeout> | undefined
  const show = (): void => {
    timer = undefined
    let words = 0
    let characters = 0
    editor.state.doc.forEach((block) => {
      const length = lengths.get(block) ?? lengthOf(block)
      lengths.set(block, length)
      words += length.words
      characters += length.characters
    })
    place.textContent = `${plural(words, 'word')} · ${plural(characters, 'character')}`
  }
  editor.on('transaction', ({ transaction }) => {
    if (transaction.docChanged) timer ??= setTimeout(show, COUNT_AFTER_MS)
  })
  show()
}

interface Length {
  readonly words: number
  readonly characters: number
}

function lengthOf(block: Node): Length {
  const text = block.textBetween(0, block.content.size, '\n', '\n')
  return {
    words: text.match(/\S+/g)?.length ?? 0,
    characters: text.replaceAll('\n', '').length,
  }
}

function plural(count: number, noun: string): string {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`
}
