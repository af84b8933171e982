import { SocketIOProvider } from '../../dist/client/index.js'

/** As often as the whiteboard tells of a pointer, and of a shape in hand. */
const POINTER_EVERY_MS = 40
const SHAPE_EVERY_MS = 50

const COLORS = ['#2f5bd3', '#0b7a75', '#a8480c', '#8a3ffc', '#b3266b', '#4a6b12', '#9b2c2c']

/** Somebody else at the board, without a browser: says what a browser would say. */
export class Companion {
  #provider
  #index
  #timers = []
  #angle

  constructor(url, name, index) {
    this.#index = index
    this.#angle = index
    this.#provider = new SocketIOProvider({ url, name, shared: false })
    this.#provider.awareness.setLocalState({
      user: { name: `Companion ${index + 1}`, color: COLORS[index % COLORS.length] },
      button: 'up',
      selectedElementIds: {},
    })
  }

  /** The one that it moves. */
  get shape() {
    return `shape-${100 + this.#index * 50}`
  }

  get arrived() {
    return this.#provider.whenSynced
  }

  movePointer() {
    this.#every(POINTER_EVERY_MS, () => {
      this.#angle += 0.07
      this.#provider.awareness.setLocalStateField('pointer', { ...this.#place(), tool: 'pointer' })
    })
  }

  moveShape() {
    const shape = this.#provider.doc.getMap('elements').get(this.shape)
    this.#every(SHAPE_EVERY_MS, () =>
      shape.set('place', { ...shape.get('place'), ...this.#place() }),
    )
  }

  rest() {
    for (const timer of this.#timers) clearInterval(timer)
    this.#timers = []
  }

  leave() {
    this.rest()
    this.#provider.destroy()
  }

  #every(ms, act) {
    this.#timers.push(setInterval(() => act(), ms))
  }

  /** A circle of one's own over the board. */
  #place() {
    const radius = 200 + 120 * this.#index
    return {
      x: Math.round(3000 + radius * Math.cos(this.#angle)),
      y: Math.round(2000 + radius * Math.sin(this.#angle)),
    }
  }
}
