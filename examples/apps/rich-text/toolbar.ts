import type { ChainedCommands, Editor } from '@tiptap/core'
import { ICONS, type IconName } from './icons.ts'

interface Tool {
  readonly icon: IconName
  readonly label: string
  /** As `aria-keyshortcuts` has it. */
  readonly keys?: string
  readonly run: (chain: ChainedCommands) => ChainedCommands
  readonly isActive?: (editor: Editor) => boolean
  readonly isPossible?: (editor: Editor) => boolean
}

const heading = (level: 1 | 2 | 3): Tool => ({
  icon: `h${level}`,
  label: `Heading ${level}`,
  keys: `Control+Alt+${level}`,
  run: (chain) => chain.toggleHeading({ level }),
  isActive: (editor) => editor.isActive('heading', { level }),
})

const GROUPS: readonly (readonly Tool[])[] = [
  [
    {
      icon: 'undo',
      label: 'Undo my last change',
      keys: 'Control+Z',
      run: (chain) => chain.undo(),
      isPossible: (editor) => editor.can().undo(),
    },
    {
      icon: 'redo',
      label: 'Redo',
      keys: 'Control+Shift+Z',
      run: (chain) => chain.redo(),
      isPossible: (editor) => editor.can().redo(),
    },
  ],
  [heading(1), heading(2), heading(3)],
  [
    mark('bold', 'Bold', 'Control+B', (chain) => chain.toggleBold()),
    mark('italic', 'Italic', 'Control+I', (chain) => chain.toggleItalic()),
    mark('underline', 'Underline', 'Control+U', (chain) => chain.toggleUnderline()),
    mark('strike', 'Strikethrough', 'Control+Shift+S', (chain) => chain.toggleStrike()),
    mark('code', 'Code', 'Control+E', (chain) => chain.toggleCode()),
  ],
  [
    mark('bulletList', 'Bullet list', 'Control+Shift+8', (chain) => chain.toggleBulletList()),
    mark('orderedList', 'Numbered list', 'Control+Shift+7', (chain) => chain.toggleOrderedList()),
    mark('taskList', 'Task list', 'Control+Shift+9', (chain) => chain.toggleTaskList()),
    mark('blockquote', 'Quote', 'Control+Shift+B', (chain) => chain.toggleBlockquote()),
    mark('codeBlock', 'Code block', 'Control+Alt+C', (chain) => chain.toggleCodeBlock()),
  ],
]

/** Fills the toolbar. It is one stop of the Tab key; arrows, Home and End move within it. */
export function showToolbar(bar: HTMLElement, editor: Editor, openLinkForm: () => void): void {
  const tools: { tool: Tool; button: HTMLButtonElement }[] = []
  const addButton = (group: HTMLElement, tool: Tool, click: () => void): void => {
    const button = buttonOf(tool)
    button.addEventListener('click', click)
    group.append(button)
    tools.push({ tool, button })
  }
  for (const toolGroup of GROUPS) {
    const group = document.createElement('div')
    group.className = 'tool-group'
    for (const tool of toolGroup)
      addButton(group, tool, () => tool.run(editor.chain().focus()).run())
    bar.append(group)
  }
  const marks = bar.children.item(2)
  if (marks instanceof HTMLElement)
    addButton(marks, { ...mark('link', 'Link', 'Control+K', (chain) => chain) }, openLinkForm)
  editor.view.dom.addEventListener('keydown', (event) => {
    if (event.key !== 'k' || !(event.ctrlKey || event.metaKey) || !editor.isEditable) return
    event.preventDefault()
    openLinkForm()
  })

  const refresh = (): void => {
    for (const { tool, button } of tools) {
      if (tool.isActive) button.setAttribute('aria-pressed', String(tool.isActive(editor)))
      button.disabled = !editor.isEditable || tool.isPossible?.(editor) === false
    }
  }
  editor.on('transaction', refresh)
  editor.on('update', refresh)
  refresh()
  moveByArrows(
    bar,
    tools.map(({ button }) => button),
  )
}

function mark(
  icon: IconName,
  label: string,
  keys: string,
  run: (chain: ChainedCommands) => ChainedCommands,
): Tool {
  return { icon, label, keys, run, isActive: (editor) => editor.isActive(icon) }
}

function buttonOf({ icon, label, keys }: Tool): HTMLButtonElement {
  const button = document.createElement('button')
  button.type = 'button'
  button.className = 'tool'
  button.ariaLabel = label
  button.title = keys === undefined ? label : `${label} (${keys.replace('Control', 'Ctrl')})`
  if (keys !== undefined) button.setAttribute('aria-keyshortcuts', keys)
  button.innerHTML = `<svg viewBox="0 0 20 20" aria-hidden="true" focusable="false">${ICONS[icon]}</svg>`
  // The selection stays in the text.
  button.addEventListener('mousedown', (event) => event.preventDefault())
  return button
}

function moveByArrows(bar: HTMLElement, buttons: readonly HTMLButtonElement[]): void {
  const inOrder = [...bar.querySelectorAll('button')].filter((button) => buttons.includes(button))
  const makeStop = (stop: HTMLButtonElement): void => {
    for (const button of inOrder) button.tabIndex = button === stop ? 0 : -1
  }
  const [, , first] = inOrder
  // Not "undo", which begins disabled and then takes no focus.
  if (first) makeStop(first)
  bar.addEventListener('focusin', ({ target }) => {
    if (target instanceof HTMLButtonElement) makeStop(target)
  })
  bar.addEventListener('keydown', (event) => {
    const enabled = inOrder.filter((button) => !button.disabled)
    const at = enabled.findIndex((button) => button === document.activeElement)
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1 }[event.key]
    if (next === undefined || at < 0) return
    event.preventDefault()
    enabled.at(next % enabled.length)?.focus()
  })
}
