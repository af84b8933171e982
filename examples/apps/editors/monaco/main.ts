import 'monaco-editor/esm/vs/editor/edcore.main.js'
import { editor as monaco, KeyCode, KeyMod } from 'monaco-editor/esm/vs/editor/editor.api.js'
// oxlint-disable-next-line import/default -- Vite makes a class of it.
import EditorWorker from 'monaco-editor/esm/vs/editor/editor.worker.js?worker'
import { MonacoBinding } from 'y-monaco'
import { SocketIOProvider } from 'y-rooms/client'
import { Doc, UndoManager } from 'yjs'
import { token } from '../../room/access-token.ts'
import { element } from '../../room/element.ts'
import { documentName, showRoom, watchAccess, whenContent } from '../../room/room.ts'
import { styleCarets } from './caret-styles.ts'

const doc = new Doc()
const provider = new SocketIOProvider(location.origin, documentName('monaco'), doc, { token })
showRoom(provider)
await whenContent(provider)

globalThis.MonacoEnvironment = { getWorker: () => new EditorWorker() }
const dark = matchMedia('(prefers-color-scheme: dark)')
const themeOf = ({ matches }: { matches: boolean }): string => (matches ? 'vs-dark' : 'vs')

const text = doc.getText('monaco')
const model = monaco.createModel(text.toJSON(), 'plaintext')
// Windows would count two characters for a line break where the others count one.
model.setEOL(monaco.EndOfLineSequence.LF)
const editor = monaco.create(element('editor', HTMLElement), {
  model,
  theme: themeOf(dark),
  ariaLabel: 'Text of the document',
  automaticLayout: true,
  fontSize: 15,
  minimap: { enabled: false },
  // Room for the name above a caret in the first line.
  padding: { top: 24 },
  placeholder: 'Write something. Everyone with the link sees it as you type.',
  // Tab leads out of the editor for those who have no mouse.
  tabFocusMode: true,
  wordWrap: 'on',
})
dark.addEventListener('change', (scheme) => monaco.setTheme(themeOf(scheme)))

const binding = new MonacoBinding(text, model, new Set([editor]), provider.awareness)
styleCarets(provider.awareness)
// In place of Monaco's own, which would take back what others wrote.
const WRITABLE = '!editorReadonly'
const undoManager = new UndoManager(text, { trackedOrigins: new Set([binding]) })
editor.addCommand(KeyMod.CtrlCmd | KeyCode.KeyZ, () => undoManager.undo(), WRITABLE)
editor.addCommand(KeyMod.CtrlCmd | KeyCode.KeyY, () => undoManager.redo(), WRITABLE)
editor.addCommand(KeyMod.CtrlCmd | KeyMod.Shift | KeyCode.KeyZ, () => undoManager.redo(), WRITABLE)
watchAccess(provider, (isReadOnly) => editor.updateOptions({ readOnly: isReadOnly }))
