import type { OpenTabPort } from '../../client/tab-port.ts'

interface Sent {
  readonly from: Listener
  readonly message: unknown
}

interface TabBody {
  readonly type: string
  readonly update?: Uint8Array
}

interface Listener {
  readonly name: string
  readonly handleMessage: (message: unknown) => void
}

/** The tabs of one browser. What one posts waits until the test lets it arrive. */
export class ScriptedTabs {
  readonly #listeners = new Set<Listener>()
  readonly #waiting: Sent[] = []
  /** The kind of every message that was posted. */
  readonly posted: string[] = []
  handlePosted: (body: TabBody) => void = () => undefined
  /** Messages that never arrive. */
  drops: (body: TabBody) => boolean = () => false

  readonly open: OpenTabPort = (name, handleMessage) => {
    const listener: Listener = { name, handleMessage }
    this.#listeners.add(listener)
    return {
      post: (message) => {
        if (!this.#listeners.has(listener)) throw new Error('posted to a closed channel')
        const copy = structuredClone(message)
        const { body } = copy as { body: TabBody }
        this.posted.push(body.type)
        this.handlePosted(body)
        if (this.drops(body)) return
        this.#waiting.push({ from: listener, message: copy })
      },
      close: () => void this.#listeners.delete(listener),
    }
  }

  get names(): string[] {
    return [...new Set([...this.#listeners].map(({ name }) => name))]
  }

  get size(): number {
    return this.#listeners.size
  }

  /** Everything posted so far arrives, and what it causes. Returns how many messages that were; fails on an endless exchange. */
  deliver(): number {
    let count = 0
    for (let sent = this.#waiting.shift(); sent !== undefined; sent = this.#waiting.shift()) {
      if (++count > 1000) throw new Error('the tabs do not come to rest')
      const { from, message } = sent
      for (const listener of [...this.#listeners])
        if (listener !== from && listener.name === from.name)
          listener.handleMessage(structuredClone(message))
    }
    return count
  }

  /** What was posted so far never arrives. */
  lose(): void {
    this.#waiting.splice(0)
  }

  /** Something that no provider says. */
  inject(message: unknown): void {
    for (const listener of [...this.#listeners]) listener.handleMessage(message)
  }
}
