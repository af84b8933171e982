import type { Editor } from '@tiptap/core'
import { element } from '../room/element.ts'

/** The form for the address of a link. Returns what opens it. */
export function wireLinkForm(editor: Editor): () => void {
  const form = element('link-form', HTMLFormElement)
  const address = element('link-address', HTMLInputElement)
  const close = (): void => {
    form.hidden = true
    editor.commands.focus()
  }
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    setLink(editor, address.value.trim())
    close()
  })
  form.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') close()
  })
  element('remove-link', HTMLButtonElement).addEventListener('click', () => {
    setLink(editor, '')
    close()
  })
  return () => {
    const { href } = editor.getAttributes('link')
    address.value = typeof href === 'string' ? href : ''
    form.hidden = false
    address.select()
  }
}

function setLink(editor: Editor, address: string): void {
  const link = editor.chain().extendMarkRange('link')
  if (address === '') {
    link.unsetLink().run()
    return
  }
  const href = /^([a-z]+:|\/|#)/i.test(address) ? address : `https://${address}`
  if (!editor.state.selection.empty || editor.isActive('link')) link.setLink({ href }).run()
  // Nothing selected: the address is its own text.
  else
    editor.commands.insertContent({
      type: 'text',
      text: address,
      marks: [{ type: 'link', attrs: { href } }],
    })
}
