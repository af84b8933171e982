import { Map as YMap, UndoManager, type Transaction, type YEvent } from 'yjs'
import { partsOf, shapeOf, type Shape } from './shape.ts'

/** The whiteboard as the binding sees it: Excalidraw, or a double in a test. */
export interface Board {
  /** All shapes, deleted ones too. */
  shapes(): readonly Shape[]
  /** Shapes that somebody has in hand here: they take others' changes when they are let go. */
  held(): ReadonlySet<string>
  show(shapes: readonly Shape[]): void
}

type SharedShape = YMap<unknown>

/** The longest line that is sent while it is drawn. Each sending repeats all points, which grows with their square. */
const MAX_POINTS_WHILE_DRAWN = 100

/**
 * Keeps a board equal to a shared map of shapes, one shared map each. Only what was changed here is written, found by
 * comparison with what both sides agreed on last: a move does not undo a colour that arrived meanwhile.
 */
export class BoardBinding {
  readonly undoManager: UndoManager
  readonly #shared: YMap<SharedShape>
  readonly #board: Board
  /** What board and document agreed on last: for each shape its parts as JSON. */
  readonly #agreed = new Map<string, Map<string, string>>()
  /** The version of each shape that was looked at; an equal one needs no second look. */
  readonly #seen = new Map<string, number>()
  /** Shapes that changed in the document and not yet on the board. */
  readonly #stale = new Set<string>()
  readonly #schedule: (show: () => void) => void

  /** `schedule` may postpone what others did to the next frame, or to the next second; by default it is shown at once. */
  constructor(
    shared: YMap<SharedShape>,
    board: Board,
    schedule: (show: () => void) => void = (show) => show(),
  ) {
    this.#shared = shared
    this.#board = board
    this.#schedule = schedule
    this.undoManager = new UndoManager(shared, {
      trackedOrigins: new Set([this]),
      // A gesture is one step however long it takes: `writeLocal` says when it ends.
      captureTimeout: Infinity,
    })
    for (const id of shared.keys()) this.#stale.add(id)
    shared.observeDeep(this.#handleChange)
    this.showRemote()
  }

  destroy(): void {
    this.#shared.unobserveDeep(this.#handleChange)
    this.undoManager.destroy()
  }

  /** Writes what was drawn here. `isFinished`: nothing is in hand any more, and the next gesture is a step of its own. */
  writeLocal({ isFinished = true } = {}): void {
    const changed = this.#board
      .shapes()
      .filter((shape) => this.#seen.get(shape.id) !== shape.version)
    if (changed.length > 0)
      this.#shared.doc?.transact(() => {
        for (const shape of changed) this.#write(shape, isFinished)
      }, this)
    if (!isFinished) return
    this.undoManager.stopCapturing()
    if (this.#stale.size > 0) this.showRemote()
  }

  /** Shows what others did, and what undo did. */
  showRemote(): void {
    if (this.#stale.size === 0) return
    const held = this.#board.held()
    const byId = new Map(this.#board.shapes().map((shape) => [shape.id, shape]))
    let isChanged = false
    for (const id of this.#stale) {
      if (held.has(id)) continue
      this.#stale.delete(id)
      const shape = this.#read(id, byId.get(id))
      if (shape === null) continue
      byId.set(id, shape)
      this.#seen.set(id, shape.version)
      isChanged = true
    }
    if (isChanged) this.#board.show([...byId.values()].sort(byIndex))
  }

  readonly #handleChange = (events: YEvent<YMap<unknown>>[], transaction: Transaction): void => {
    if (transaction.origin === this) return
    for (const event of events) {
      const [id] = event.path
      if (typeof id === 'string') this.#stale.add(id)
      else for (const key of event.keys.keys()) this.#stale.add(key)
    }
    this.#schedule(() => {
      // First what was done here: else it would be overwritten on the board before anybody else saw it.
      this.writeLocal({ isFinished: false })
      this.showRemote()
    })
  }

  #write(shape: Shape, isFinished: boolean): void {
    const agreed = this.#agreed.get(shape.id)
    if (agreed === undefined && isNothing(shape)) return
    if (!isFinished && isLongLine(shape)) return
    this.#seen.set(shape.id, shape.version)
    const parts = partsOf(shape)
    const shared = this.#sharedShape(shape.id)
    const next = new Map<string, string>()
    for (const [part, value] of parts) {
      const json = JSON.stringify(value)
      next.set(part, json)
      if (agreed?.get(part) !== json) shared.set(part, value)
    }
    for (const part of agreed?.keys() ?? []) if (!next.has(part)) shared.delete(part)
    this.#agreed.set(shape.id, next)
  }

  #sharedShape(id: string): SharedShape {
    const found = this.#shared.get(id)
    if (found instanceof YMap) return found
    const created: SharedShape = new YMap()
    this.#shared.set(id, created)
    return created
  }

  /** The shape as the document has it. One that undo removed, or nobody can draw, is a deleted one. */
  #read(id: string, onBoard: Shape | undefined): Shape | null {
    const version = (onBoard?.version ?? 0) + 1
    const shared: unknown = this.#shared.get(id)
    const parts: [string, unknown][] = shared instanceof YMap ? [...shared.entries()] : []
    const shape = shapeOf(id, parts, version)
    if (shape === null) {
      this.#agreed.delete(id)
      return onBoard === undefined ? null : { ...onBoard, isDeleted: true, version }
    }
    this.#agreed.set(
      id,
      new Map(parts.map(([part, value]): [string, string] => [part, JSON.stringify(value)])),
    )
    return shape
  }
}

/** A click without a movement makes a shape of no size, and an empty text is thrown away. */
function isNothing(shape: Shape): boolean {
  if (shape.isDeleted) return true
  if (shape['type'] === 'text') return shape['text'] === ''
  return shape['width'] === 0 && shape['height'] === 0
}

function isLongLine({ points }: Shape): boolean {
  return Array.isArray(points) && points.length > MAX_POINTS_WHILE_DRAWN
}

/** Excalidraw's order from back to front. Two shapes made at the same moment may have the same place in it. */
function byIndex(one: Shape, other: Shape): number {
  const [left, right] = [String(one['index'] ?? ''), String(other['index'] ?? '')]
  if (left !== right) return left < right ? -1 : 1
  return one.id < other.id ? -1 : 1
}
