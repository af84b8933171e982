import { CaptureUpdateAction } from '@excalidraw/excalidraw'
import type { OrderedExcalidrawElement } from '@excalidraw/excalidraw/element/types'
import type { AppState, ExcalidrawImperativeAPI } from '@excalidraw/excalidraw/types'
import type { SocketIOProvider } from 'y-rooms/client'
import type { Map as YMap, UndoManager } from 'yjs'
import type { PeopleList } from '../room/people-list.ts'
import type { Sending } from '../room/room.ts'
import { BoardBinding } from './board-binding.ts'
import { BoardImages } from './board-images.ts'
import { Company, type PointerUpdate } from './company.ts'
import { Redraw } from './redraw.ts'
import type { Shape } from './shape.ts'

/** Twenty times a second looks like a movement, and each time is one write to the server's disk. */
const WRITE_EVERY_MS = 50

/** Excalidraw and the document, from the moment the board is there until it goes. */
export class BoardSession {
  readonly undoManager: UndoManager
  readonly #api: ExcalidrawImperativeAPI
  readonly #binding: BoardBinding
  readonly #company: Company
  readonly #redraw = new Redraw()
  readonly #images: BoardImages
  #writeTimer: ReturnType<typeof setTimeout> | undefined
  #isPointerDown = false

  constructor(
    api: ExcalidrawImperativeAPI,
    provider: SocketIOProvider,
    people: PeopleList,
    sending: Sending,
  ) {
    this.#api = api
    const shared = provider.doc.getMap<YMap<unknown>>('elements')
    const board = {
      shapes: () => api.getSceneElementsIncludingDeleted() as unknown as readonly Shape[],
      held: () => this.#held(),
      show: (shapes: readonly Shape[]) =>
        api.updateScene({
          elements: shapes as unknown as readonly OrderedExcalidrawElement[],
          // What others did is not a step of ours.
          captureUpdate: CaptureUpdateAction.NEVER,
        }),
    }
    this.#binding = new BoardBinding(shared, board, (show) => this.#redraw.request('shapes', show))
    this.undoManager = this.#binding.undoManager
    // What is there may lie outside a small window.
    api.scrollToContent(undefined, { fitToContent: true })
    this.#company = new Company(api, provider.awareness, people, this.#redraw)
    this.#images = new BoardImages(api, provider, (isPending) => sending.set(isPending))
    // Before Excalidraw's own history, which knows nothing of other people.
    addEventListener('keydown', this.#handleKey, { capture: true })
  }

  destroy(): void {
    clearTimeout(this.#writeTimer)
    this.#redraw.destroy()
    removeEventListener('keydown', this.#handleKey, { capture: true })
    this.#binding.destroy()
    this.#company.destroy()
    this.#images.destroy()
  }

  handleChange(state: AppState): void {
    this.#company.handleState(state)
    this.#images.handleChange()
    this.#writeTimer ??= setTimeout(() => this.#write(), WRITE_EVERY_MS)
  }

  handlePointer(update: PointerUpdate): void {
    this.#isPointerDown = update.button === 'down'
    this.#company.handlePointer(update)
  }

  handlePointerUp(): void {
    this.#isPointerDown = false
    // After Excalidraw has put down what was in hand.
    setTimeout(() => this.#write(), 0)
  }

  handleScroll(): void {
    this.#company.handleView()
  }

  #write(): void {
    clearTimeout(this.#writeTimer)
    this.#writeTimer = undefined
    this.#binding.writeLocal({ isFinished: !this.#isPointerDown && this.#held().size === 0 })
  }

  /** What is drawn, written, dragged or resized at this moment. */
  #held(): ReadonlySet<string> {
    const state = this.#api.getAppState()
    const held = new Set<string>()
    for (const shape of [
      state.newElement,
      state.resizingElement,
      state.editingTextElement,
      state.multiElement,
    ])
      if (shape) held.add(shape.id)
    if (state.selectedElementsAreBeingDragged)
      for (const id of Object.keys(state.selectedElementIds)) held.add(id)
    return held
  }

  readonly #handleKey = (event: KeyboardEvent): void => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey) return
    const key = event.key.toLowerCase()
    if (key !== 'z' && key !== 'y') return
    // A text that is being written has the browser's own undo, and so has the field for one's name.
    if (event.target instanceof HTMLTextAreaElement || event.target instanceof HTMLInputElement)
      return
    event.preventDefault()
    event.stopPropagation()
    this.#write()
    if (key === 'y' || event.shiftKey) this.undoManager.redo()
    else this.undoManager.undo()
  }
}
