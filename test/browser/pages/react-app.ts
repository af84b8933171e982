import { createElement, StrictMode, useEffect, useState, type ReactElement } from 'react'
import {
  ConnectionProvider,
  DocumentProvider,
  useConnectionStatus,
  useDocument,
  usePresence,
  useReadOnly,
  useSaveState,
  useSynced,
} from 'y-rooms/react'

declare global {
  /** How often the effects of a document ran: twice for each in StrictMode. */
  var effects: number | undefined
}

/** What the page shows of everything that the hooks tell, for a test to read. */
function Draft({ who }: { readonly who: string }): ReactElement {
  const doc = useDocument()
  const saveState = useSaveState()
  const status = useConnectionStatus()
  const isSynced = useSynced()
  const isReadOnly = useReadOnly()
  const [others, announce] = usePresence<{ user: string }>()
  const [text, setText] = useState('')
  useEffect(() => announce({ user: who }), [announce, who])
  useEffect(() => {
    globalThis.effects = (globalThis.effects ?? 0) + 1
  }, [])
  useEffect(() => {
    const body = doc.getText('body')
    const show = (): void => setText(body.toJSON())
    body.observe(show)
    show()
    return () => body.unobserve(show)
  }, [doc])
  const type = (): void => doc.getText('body').insert(0, `${who} `)
  const names = others.map(({ state }) => state.user).join(' ')
  return createElement(
    'section',
    null,
    createElement('output', { id: 'status' }, status),
    createElement('output', { id: 'synced' }, String(isSynced)),
    createElement('output', { id: 'saved' }, saveState),
    createElement('output', { id: 'read-only' }, String(isReadOnly)),
    createElement('output', { id: 'others' }, names),
    createElement('output', { id: 'text' }, text),
    createElement('button', { onClick: type }, 'type'),
  )
}

export interface AppProps {
  readonly url: string
  readonly who: string
}

/** A document that can be closed and opened again, in StrictMode. */
export function App({ url, who }: AppProps): ReactElement {
  const [isOpen, setOpen] = useState(true)
  const fallback = createElement('p', null, 'opening')
  return createElement(
    StrictMode,
    null,
    createElement(
      ConnectionProvider,
      { url },
      createElement('button', { id: 'toggle', onClick: () => setOpen(!isOpen) }, 'open or close'),
      isOpen
        ? createElement(
            DocumentProvider,
            { name: 'draft', fallback },
            createElement(Draft, { who }),
          )
        : createElement('p', null, 'closed'),
    ),
  )
}
