/** Thirty times a second looks like a movement. */
const MIN_INTERVAL_MS = 33
/** A board that is slower than that shows others' movements in steps rather than late. */
const MAX_INTERVAL_MS = 250

/**
 * When the board shows what others did. Ten people who move things are 450 changes a second, and Excalidraw draws all that is
 * in sight for each: what belongs to one moment is shown in one turn, and takes half of the time at most. The other half is
 * for one's own hand.
 */
export class Redraw {
  readonly #requested = new Map<string, () => void>()
  #timer: ReturnType<typeof setTimeout> | undefined
  #drawnAt = Number.NEGATIVE_INFINITY
  #intervalMs = MIN_INTERVAL_MS

  /** `show` runs soon, in place of what was requested under the same name. */
  request(name: string, show: () => void): void {
    this.#requested.set(name, show)
    const wait = this.#drawnAt + this.#intervalMs - performance.now()
    this.#timer ??= setTimeout(() => this.#draw(), Math.max(0, wait))
  }

  destroy(): void {
    clearTimeout(this.#timer)
    this.#requested.clear()
  }

  #draw(): void {
    this.#timer = undefined
    const startedAt = performance.now()
    this.#drawnAt = startedAt
    const shows = [...this.#requested.values()]
    this.#requested.clear()
    for (const show of shows) show()
    // The first task after the frame. A hidden page has no frames, and nobody to wait for them.
    requestAnimationFrame(() =>
      setTimeout(() => {
        const tookMs = performance.now() - startedAt
        this.#intervalMs = Math.min(Math.max(2 * tookMs, MIN_INTERVAL_MS), MAX_INTERVAL_MS)
      }, 0),
    )
  }
}
