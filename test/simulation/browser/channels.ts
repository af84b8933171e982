import type { TabPort } from '../../../client/tab-port.ts'
import type { Timeline } from '../timeline.ts'
import type { Page } from './page.ts'

interface Port {
  readonly page: Page
  readonly name: string
  readonly handleMessage: (message: unknown) => void
  /** What one port posts arrives in its order; different ports are not in step. */
  readonly lastArrivalMs: Map<Port, number>
}

/** BroadcastChannel between the pages of one device. */
export class Channels {
  readonly #timeline: Timeline
  readonly #delayMs: () => number
  readonly #ports = new Set<Port>()

  constructor(timeline: Timeline, delayMs: () => number) {
    this.#timeline = timeline
    this.#delayMs = delayMs
  }

  get names(): string[] {
    return [...this.#ports].map(({ name }) => name)
  }

  open(page: Page, name: string, handleMessage: (message: unknown) => void): TabPort {
    const port: Port = { page, name, handleMessage, lastArrivalMs: new Map() }
    this.#ports.add(port)
    return {
      post: (message) => this.#post(port, message),
      close: () => void this.#ports.delete(port),
    }
  }

  handlePageGone(page: Page): void {
    for (const port of [...this.#ports]) if (port.page === page) this.#ports.delete(port)
  }

  #post(from: Port, message: unknown): void {
    if (!this.#ports.has(from)) return
    const { nowMs } = this.#timeline
    for (const port of this.#ports) {
      if (port === from || port.name !== from.name) continue
      const sent = structuredClone(message)
      const atMs = Math.max(nowMs + this.#delayMs(), from.lastArrivalMs.get(port) ?? 0)
      from.lastArrivalMs.set(port, atMs)
      this.#timeline.schedule(atMs - nowMs, port.page.life, () => {
        if (this.#ports.has(port)) port.handleMessage(sent)
      })
    }
  }
}
