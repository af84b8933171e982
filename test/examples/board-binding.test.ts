import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { BoardBinding, type Board } from '../../examples/apps/whiteboard/board-binding.ts'
import type { Shape } from '../../examples/apps/whiteboard/shape.ts'

const RECTANGLE = {
  type: 'rectangle',
  x: 0,
  y: 0,
  width: 10,
  height: 10,
  angle: 0,
  strokeColor: 'black',
  opacity: 100,
  strokeWidth: 1,
  seed: 1,
  groupIds: [],
  boundElements: null,
  isDeleted: false,
  version: 1,
}

/** A board as Excalidraw keeps it: shapes in one array, a version that grows with every change. */
class TestBoard implements Board {
  all: readonly Shape[] = []
  readonly inHand = new Set<string>()
  readonly shapes = (): readonly Shape[] => this.all
  readonly held = (): ReadonlySet<string> => this.inHand
  readonly show = (shapes: readonly Shape[]): void => void (this.all = shapes)

  add(id: string, index: string, fields: Partial<Shape> = {}): void {
    this.all = [...this.all, { ...RECTANGLE, id, index, ...fields }]
  }

  change(id: string, fields: Record<string, unknown>): void {
    this.all = this.all.map((shape) =>
      shape.id === id ? { ...shape, ...fields, version: shape.version + 1 } : shape,
    )
  }

  shape(id: string): Shape | undefined {
    return this.all.find((shape) => shape.id === id)
  }

  /** What one sees, from back to front. */
  get visible(): string {
    return this.all
      .filter(({ isDeleted }) => !isDeleted)
      .map(({ id }) => id)
      .join('')
  }

  /** Everything but what each browser counts for itself. */
  get content(): unknown[] {
    return this.all.map((shape) => ({ ...shape, version: 0, versionNonce: 0, updated: 0 }))
  }
}

function person() {
  const doc = new Y.Doc()
  const board = new TestBoard()
  const binding = new BoardBinding(doc.getMap('elements'), board)
  return { doc, board, binding }
}

type Someone = ReturnType<typeof person>

/** Everything that each has reaches the other. */
function meet(one: Someone, other: Someone): void {
  const fromOne = Y.encodeStateAsUpdate(one.doc)
  Y.applyUpdate(one.doc, Y.encodeStateAsUpdate(other.doc), 'network')
  Y.applyUpdate(other.doc, fromOne, 'network')
}

/** Two people who both have these shapes. */
function together(...ids: string[]): [Someone, Someone] {
  const ada = person()
  const ben = person()
  ids.forEach((id, at) => ada.board.add(id, `a${at}`))
  ada.binding.writeLocal()
  meet(ada, ben)
  return [ada, ben]
}

describe('the whiteboard binding', () => {
  test('one moves and another recolours the same shape: both are kept', () => {
    const [ada, ben] = together('A')
    ada.board.change('A', { x: 50, y: 60 })
    ada.binding.writeLocal()
    ben.board.change('A', { strokeColor: 'red' })
    ben.binding.writeLocal()
    meet(ada, ben)
    expect(ada.board.shape('A')).toMatchObject({ x: 50, y: 60, strokeColor: 'red' })
    expect(ada.board.content).toEqual(ben.board.content)
  })

  test('a colour that arrives in the middle of a drag is neither lost nor written back', () => {
    const [ada, ben] = together('A')
    ada.board.change('A', { x: 20 })
    ada.board.inHand.add('A')
    ada.binding.writeLocal({ isFinished: false })
    ben.board.change('A', { strokeColor: 'red' })
    ben.binding.writeLocal()
    meet(ada, ben)
    // In her hand it stays as it is.
    expect(ada.board.shape('A')).toMatchObject({ x: 20, strokeColor: 'black' })
    ada.board.change('A', { x: 30 })
    ada.board.inHand.clear()
    ada.binding.writeLocal()
    meet(ada, ben)
    for (const { board } of [ada, ben])
      expect(board.shape('A')).toMatchObject({ x: 30, strokeColor: 'red' })
  })

  test('a change here that is not written yet survives what arrives', () => {
    const [ada, ben] = together('A')
    ada.board.change('A', { x: 20 })
    ben.board.change('A', { strokeColor: 'red' })
    ben.binding.writeLocal()
    meet(ada, ben)
    meet(ada, ben)
    for (const { board } of [ada, ben])
      expect(board.shape('A')).toMatchObject({ x: 20, strokeColor: 'red' })
  })

  test.each([
    ['to the back', 'B', 'Zz'],
    ['to the front', 'A', 'b0'],
  ])('after a shape went %s the right ones are deleted', (_, moved, index) => {
    const [ada, ben] = together('A', 'B', 'C', 'D')
    ada.board.change(moved, { index })
    ada.binding.writeLocal()
    meet(ada, ben)
    ben.board.change('B', { isDeleted: true })
    ben.board.change('A', { isDeleted: true })
    ben.binding.writeLocal()
    meet(ada, ben)
    expect([ada.board.visible, ben.board.visible]).toEqual(['CD', 'CD'])
    expect(ada.board.content).toEqual(ben.board.content)
  })

  test('two arrows bound to one shape at the same moment are both bound', () => {
    const [ada, ben] = together('A')
    ada.board.change('A', { boundElements: [{ id: 'one', type: 'arrow' }] })
    ada.binding.writeLocal()
    ben.board.change('A', { boundElements: [{ id: 'two', type: 'arrow' }] })
    ben.binding.writeLocal()
    meet(ada, ben)
    const bound = [
      { id: 'one', type: 'arrow' },
      { id: 'two', type: 'arrow' },
    ]
    expect(ada.board.shape('A')?.['boundElements']).toEqual(bound)
    expect(ben.board.shape('A')?.['boundElements']).toEqual(bound)
  })

  test('one deletes what another moves: it is deleted for both', () => {
    const [ada, ben] = together('A')
    ada.board.change('A', { isDeleted: true })
    ada.binding.writeLocal()
    ben.board.change('A', { x: 99 })
    ben.binding.writeLocal()
    meet(ada, ben)
    expect([ada.board.visible, ben.board.visible]).toEqual(['', ''])
  })

  test('undo takes back my step and leaves what others did, redo brings it back', () => {
    const [ada, ben] = together('A')
    ada.board.change('A', { x: 50 })
    ada.binding.writeLocal()
    ben.board.change('A', { strokeColor: 'red' })
    ben.board.add('B', 'a5')
    ben.binding.writeLocal()
    meet(ada, ben)
    ada.binding.undoManager.undo()
    expect(ada.board.shape('A')).toMatchObject({ x: 0, strokeColor: 'red' })
    expect(ada.board.visible).toBe('AB')
    ada.binding.undoManager.undo()
    expect(ada.board.visible).toBe('B')
    ada.binding.undoManager.redo()
    ada.binding.undoManager.redo()
    meet(ada, ben)
    expect(ada.board.shape('A')).toMatchObject({ x: 50, strokeColor: 'red' })
    expect(ada.board.content).toEqual(ben.board.content)
  })

  test('a gesture that pauses is still one step to take back, and the next one another', () => {
    const [ada] = together('A')
    const { undoManager } = ada.binding
    ada.board.change('A', { x: 20 })
    ada.binding.writeLocal({ isFinished: false })
    // The hand rests for a minute: Yjs measures by its own clock, from the last change.
    undoManager.lastChange -= 60_000
    ada.board.change('A', { x: 50 })
    ada.binding.writeLocal()
    ada.board.change('A', { y: 7 })
    ada.binding.writeLocal()
    undoManager.undo()
    expect(ada.board.shape('A')).toMatchObject({ x: 50, y: 0 })
    undoManager.undo()
    expect(ada.board.shape('A')).toMatchObject({ x: 0, y: 0 })
  })

  test('looking writes nothing: two boards with the same shapes do not answer one another', () => {
    const [ada, ben] = together('A', 'B')
    let updates = 0
    for (const { doc } of [ada, ben]) doc.on('update', () => updates++)
    ada.binding.writeLocal()
    ben.binding.writeLocal()
    meet(ada, ben)
    expect(updates).toBe(0)
  })

  test('a shape that nobody can draw is left out, and the others are drawn', () => {
    const [ada, ben] = together('A')
    const broken = new Y.Map<unknown>([
      ['type', 'line'],
      ['place', { x: 1, points: 'none' }],
    ])
    ada.doc.getMap('elements').set('broken', broken)
    ada.doc.getMap('elements').set('text', 'not even a shape')
    meet(ada, ben)
    expect(ben.board.visible).toBe('A')
    ben.board.change('A', { x: 5 })
    ben.binding.writeLocal()
    meet(ada, ben)
    expect(ada.board.shape('A')).toMatchObject({ x: 5 })
  })

  test('a click without a movement leaves nothing', () => {
    const ada = person()
    ada.board.add('A', 'a0', { width: 0, height: 0 })
    ada.binding.writeLocal()
    expect(ada.doc.getMap('elements').size).toBe(0)
    ada.board.change('A', { width: 5, height: 5 })
    ada.binding.writeLocal()
    expect(ada.doc.getMap('elements').size).toBe(1)
  })
})
