import type { Page } from './page.ts'

interface Lock {
  readonly page: Page
  readonly use: () => Promise<unknown>
  isGranted: boolean
}

/** Web Locks of one device: of each name one page holds it, and the others wait in their order. */
export class Locks {
  readonly #queues = new Map<string, Lock[]>()

  get names(): string[] {
    return [...this.#queues].flatMap(([name, queue]) => queue.map(() => name))
  }

  request(page: Page, name: string, signal: AbortSignal, use: () => unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const lock: Lock = {
        page,
        isGranted: false,
        use: async () => resolve(await use()),
      }
      const queue = this.#queues.get(name) ?? []
      this.#queues.set(name, queue)
      queue.push(lock)
      signal.addEventListener('abort', () => {
        if (lock.isGranted) return
        this.#release(name, lock)
        reject(new DOMException('the request for a lock was given up', 'AbortError'))
      })
      this.#grantFirst(name)
    })
  }

  handlePageGone(page: Page): void {
    for (const [name, queue] of [...this.#queues])
      for (const lock of queue.filter((one) => one.page === page)) this.#release(name, lock)
  }

  #grantFirst(name: string): void {
    const first = this.#queues.get(name)?.[0]
    if (first === undefined || first.isGranted) return
    first.page.later(() => {
      if (this.#queues.get(name)?.[0] !== first || first.isGranted) return
      first.isGranted = true
      void first.use().then(() => this.#release(name, first))
    })
  }

  #release(name: string, lock: Lock): void {
    const queue = this.#queues.get(name) ?? []
    const index = queue.indexOf(lock)
    if (index < 0) return
    queue.splice(index, 1)
    if (queue.length === 0) this.#queues.delete(name)
    this.#grantFirst(name)
  }
}
