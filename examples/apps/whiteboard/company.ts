import type {
  AppState,
  Collaborator,
  ExcalidrawImperativeAPI,
  SocketId,
} from '@excalidraw/excalidraw/types'
import type { Awareness } from 'y-protocols/awareness'
import type { PeopleList } from '../room/people-list.ts'
import { readPerson } from '../room/person.ts'
import { idForColor } from './pointer-color.ts'
import type { Redraw } from './redraw.ts'

export interface PointerUpdate {
  readonly pointer: { readonly x: number; readonly y: number; readonly tool: 'pointer' | 'laser' }
  readonly button: 'up' | 'down'
}

/** What one sees of the board, as far as the window shows it: left, top, right, bottom. */
type View = readonly [number, number, number, number]

/** A pointer that moves 25 times a second moves smoothly. */
const TELL_EVERY_MS = 40

/**
 * The other people at the board: their pointers, with the trail of a laser, what they have selected, and what they look
 * at. Their chips in the bar are buttons that follow them.
 */
export class Company {
  readonly #api: ExcalidrawImperativeAPI
  readonly #awareness: Awareness
  readonly #people: PeopleList
  readonly #redraw: Redraw
  readonly #news = new Map<string, unknown>()
  #timer: ReturnType<typeof setTimeout> | undefined
  #selected: AppState['selectedElementIds'] | undefined
  #followed: string | null = null

  constructor(
    api: ExcalidrawImperativeAPI,
    awareness: Awareness,
    people: PeopleList,
    redraw: Redraw,
  ) {
    this.#api = api
    this.#awareness = awareness
    this.#people = people
    this.#redraw = redraw
    awareness.on('change', this.#handleOthers)
    people.offerFollowing((clientId) => this.#follow(clientId))
    this.handleView()
    this.#handleOthers()
  }

  destroy(): void {
    clearTimeout(this.#timer)
    this.#awareness.off('change', this.#handleOthers)
    this.#people.offerFollowing(null)
  }

  handlePointer({ pointer, button }: PointerUpdate): void {
    this.#tell('pointer', {
      x: Math.round(pointer.x),
      y: Math.round(pointer.y),
      tool: pointer.tool,
    })
    this.#tell('button', button)
  }

  handleView(): void {
    const { scrollX, scrollY, width, height, zoom } = this.#api.getAppState()
    const view: View = [
      Math.round(-scrollX),
      Math.round(-scrollY),
      Math.round(width / zoom.value - scrollX),
      Math.round(height / zoom.value - scrollY),
    ]
    this.#tell('view', view)
  }

  handleState({ selectedElementIds, userToFollow }: AppState): void {
    if (selectedElementIds !== this.#selected) {
      this.#selected = selectedElementIds
      this.#tell('selectedElementIds', selectedElementIds)
    }
    // Excalidraw ends it when somebody moves the board or presses the cross.
    const followed = userToFollow?.socketId ?? null
    if (followed === this.#followed) return
    this.#followed = followed
    this.#people.markFollowed(followed === null ? null : Number(followed))
    this.#showFollowed()
  }

  /** Gathers what is new, and tells it together. */
  #tell(field: string, value: unknown): void {
    this.#news.set(field, value)
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      const before = this.#awareness.getLocalState()
      this.#awareness.setLocalState({ ...before, ...Object.fromEntries(this.#news) })
      this.#news.clear()
    }, TELL_EVERY_MS)
  }

  readonly #handleOthers = (): void => {
    this.#redraw.request('people', () => this.#showOthers())
  }

  #showOthers(): void {
    const collaborators = new Map<SocketId, Collaborator>()
    for (const [clientId, state] of this.#awareness.getStates())
      if (clientId !== this.#awareness.clientID && state['user'] !== undefined)
        collaborators.set(String(clientId) as SocketId, collaboratorOf(clientId, state))
    this.#api.updateScene({ collaborators })
    this.#showFollowed()
  }

  /** Or no longer, if we do already. */
  #follow(clientId: number): void {
    const socketId = String(clientId) as SocketId
    const isFollowed = this.#followed === socketId
    const { name: username } = readPerson(this.#awareness.getStates().get(clientId)?.['user'])
    this.#api.updateScene({
      appState: { userToFollow: isFollowed ? null : { socketId, username } },
    })
  }

  #showFollowed(): void {
    if (this.#followed === null) return
    const state = this.#awareness.getStates().get(Number(this.#followed))
    if (state === undefined) {
      this.#api.updateScene({ appState: { userToFollow: null } })
      return
    }
    const view = readView(state['view'])
    if (view === null) return
    const [left, top, right, bottom] = view
    const { width, height, zoom } = this.#api.getAppState()
    const scale = Math.min(width / (right - left), height / (bottom - top))
    const value = Math.min(Math.max(scale, 0.1), 30) as typeof zoom.value
    // The middle of theirs is the middle of ours.
    const scrollX = width / value / 2 - (left + right) / 2
    const scrollY = height / value / 2 - (top + bottom) / 2
    this.#api.updateScene({ appState: { scrollX, scrollY, zoom: { value } } })
  }
}

/** Other browsers may say anything: only what Excalidraw can draw goes through. */
function collaboratorOf(clientId: number, state: Readonly<Record<string, unknown>>): Collaborator {
  const { name, color } = readPerson(state['user'])
  const selected = state['selectedElementIds']
  return {
    // Excalidraw derives the colour of a pointer from this.
    id: idForColor(clientId, color),
    socketId: String(clientId) as SocketId,
    username: name,
    color: { background: color, stroke: color },
    ...readPointer(state['pointer']),
    button: state['button'] === 'down' ? 'down' : 'up',
    selectedElementIds:
      typeof selected === 'object' && selected !== null
        ? Object.fromEntries(Object.keys(selected).map((id) => [id, true as const]))
        : {},
  }
}

function readPointer(value: unknown): Pick<Collaborator, 'pointer'> {
  if (typeof value !== 'object' || value === null) return {}
  const { x, y, tool } = value as Record<string, unknown>
  if (!Number.isFinite(x) || !Number.isFinite(y)) return {}
  return {
    pointer: { x: x as number, y: y as number, tool: tool === 'laser' ? 'laser' : 'pointer' },
  }
}

function readView(value: unknown): View | null {
  if (!Array.isArray(value) || value.length !== 4 || !value.every(Number.isFinite)) return null
  const [left, top, right, bottom] = value as [number, number, number, number]
  return right > left && bottom > top ? [left, top, right, bottom] : null
}
