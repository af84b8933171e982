import { Excalidraw, MainMenu } from '@excalidraw/excalidraw'
import '@excalidraw/excalidraw/index.css'
import type { ExcalidrawImperativeAPI } from '@excalidraw/excalidraw/types'
import { useEffect, useState, useSyncExternalStore } from 'react'
import type { SocketIOProvider } from 'y-rooms/client'
import type { PeopleList } from '../room/people-list.ts'
import { watchAccess, type Sending } from '../room/room.ts'
import { BoardSession } from './board-session.ts'
import { UndoButtons } from './undo-buttons.tsx'

declare global {
  interface Window {
    excalidraw?: ExcalidrawImperativeAPI
  }
}

/** Nothing on this board is fetched from elsewhere or saved elsewhere: the document is the only place. */
const UI_OPTIONS = {
  canvasActions: {
    clearCanvas: false,
    export: false,
    loadScene: false,
    saveToActiveFile: false,
    toggleTheme: false,
    changeViewBackgroundColor: false,
  },
} as const

interface WhiteboardProps {
  readonly provider: SocketIOProvider
  readonly people: PeopleList
  readonly sending: Sending
}

export function Whiteboard({ provider, people, sending }: WhiteboardProps) {
  const [api, setApi] = useState<ExcalidrawImperativeAPI | null>(null)
  const [session, setSession] = useState<BoardSession | null>(null)
  const [isReadOnly, setReadOnly] = useState(false)
  const theme = useSyncExternalStore(watchTheme, currentTheme)

  useEffect(() => watchAccess(provider, setReadOnly), [provider])
  useEffect(() => {
    if (api === null) return
    // For the console, and for tests: a canvas tells nobody what is on it.
    window.excalidraw = api
    const started = new BoardSession(api, provider, people, sending)
    setSession(started)
    return () => started.destroy()
  }, [api, provider, people, sending])

  return (
    <>
      {session !== null && !isReadOnly && <UndoButtons undoManager={session.undoManager} />}
      <Excalidraw
        excalidrawAPI={setApi}
        onChange={(_, state) => session?.handleChange(state)}
        onPointerUpdate={(payload) => session?.handlePointer(payload)}
        onPointerUp={() => session?.handlePointerUp()}
        onScrollChange={() => session?.handleScroll()}
        viewModeEnabled={isReadOnly}
        theme={theme}
        UIOptions={UI_OPTIONS}
        validateEmbeddable={false}
        aiEnabled={false}
        isCollaborating
        autoFocus
        handleKeyboardGlobally
      >
        <MainMenu>
          <MainMenu.DefaultItems.SaveAsImage />
          <MainMenu.DefaultItems.SearchMenu />
          <MainMenu.DefaultItems.Help />
        </MainMenu>
      </Excalidraw>
    </>
  )
}

const dark = matchMedia('(prefers-color-scheme: dark)')

function watchTheme(change: () => void): () => void {
  dark.addEventListener('change', change)
  return () => dark.removeEventListener('change', change)
}

function currentTheme(): 'dark' | 'light' {
  return dark.matches ? 'dark' : 'light'
}
