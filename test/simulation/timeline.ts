import type { Clock as ClientClock } from '../../client/index.ts'
import type { Clock as ServerClock } from '../../src/clock.ts'
import type { Random } from '../update/random-world.ts'

/** A Sunday in 2023. Only differences matter. */
const START_MS = 1_700_000_000_000

/** Something that may die: what it has scheduled dies with it, and what it schedules afterwards never happens. */
export class Life {
  readonly name: string
  isAlive = true

  constructor(name: string) {
    this.name = name
  }

  end(): void {
    this.isAlive = false
  }
}

interface Scheduled {
  readonly atMs: number
  readonly order: number
  readonly life: Life
  readonly isTimer: boolean
  run: (() => void) | null
}

/**
 * Time, and everything that happens in it, one thing after the other. What happens at one moment happens in the order in
 * which it was scheduled. Between two events every promise that can settle has settled.
 */
export class Timeline {
  readonly #heap: Scheduled[] = []
  readonly #turns: { life: Life; callback: () => void }[] = []
  readonly #handleThrow: (error: unknown) => void
  #nowMs = START_MS
  #order = 0
  #events = 0

  /** `handleThrow` hears what an event threw: in a process of its own it would have been the end of it. */
  constructor(handleThrow: (error: unknown) => void) {
    this.#handleThrow = handleThrow
  }

  get nowMs(): number {
    return this.#nowMs
  }

  /** Milliseconds since the start. */
  get elapsedMs(): number {
    return this.#nowMs - START_MS
  }

  get events(): number {
    return this.#events
  }

  /** Timers of the living that wait; the things of the network and the disk are not counted. */
  timersOf(life: Life): number {
    return this.#heap.filter((event) => event.life === life && event.isTimer && event.run !== null)
      .length
  }

  schedule(delayMs: number, life: Life, run: () => void, isTimer = false): () => void {
    if (!Number.isFinite(delayMs)) throw new RangeError(`${life.name} waits for ${delayMs} ms`)
    const event: Scheduled = {
      atMs: this.#nowMs + Math.max(0, delayMs),
      order: this.#order++,
      life,
      isTimer,
      run,
    }
    this.#push(event)
    return () => {
      event.run = null
    }
  }

  /** Resolves later, or never if this life ends before. */
  pause(delayMs: number, life: Life): Promise<void> {
    return new Promise((resolve) => this.schedule(delayMs, life, resolve))
  }

  serverClock(life: Life): ServerClock {
    return {
      now: () => this.#nowMs,
      setTimer: (delayMs, callback) => this.#timer(delayMs, life, callback),
      afterTurn: (callback) => void this.#turns.push({ life, callback }),
    }
  }

  clientClock(life: Life, random: Random): ClientClock {
    return {
      now: () => this.#nowMs,
      setTimer: (delayMs, callback) => this.#timer(delayMs, life, callback),
      afterTurn: (callback) =>
        queueMicrotask(() => {
          if (life.isAlive) this.#run(callback)
        }),
      random: () => random.below(2 ** 30) / 2 ** 30,
    }
  }

  /** Node and browsers know no shorter timer than a millisecond. */
  #timer(delayMs: number, life: Life, callback: () => void): () => void {
    return this.schedule(Math.max(1, delayMs), life, callback, true)
  }

  /** The next event, unless it lies after `untilMs`; false: there is none. */
  async step(untilMs = Infinity): Promise<boolean> {
    if (this.#turns.length > 0) {
      for (const { life, callback } of this.#turns.splice(0)) if (life.isAlive) this.#run(callback)
      await settled()
      return true
    }
    const event = this.#pop(untilMs)
    if (event === null) return false
    this.#nowMs = event.atMs
    this.#events++
    const { run } = event
    event.run = null
    if (run !== null) this.#run(run)
    await settled()
    return true
  }

  #run(callback: () => void): void {
    try {
      callback()
    } catch (error) {
      this.#handleThrow(error)
    }
  }

  #push(event: Scheduled): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(event)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(event, heap[parent] as Scheduled)) break
      heap[at] = heap[parent] as Scheduled
      at = parent
    }
    heap[at] = event
  }

  #pop(untilMs: number): Scheduled | null {
    const heap = this.#heap
    for (;;) {
      const first = heap[0]
      if (first === undefined) return null
      const isOver = first.run === null || !first.life.isAlive
      if (!isOver && first.atMs > untilMs) return null
      const last = heap.pop() as Scheduled
      if (heap.length > 0) this.#sink(last)
      if (!isOver) return first
    }
  }

  #sink(event: Scheduled): void {
    const heap = this.#heap
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (
        child + 1 < heap.length &&
        isBefore(heap[child + 1] as Scheduled, heap[child] as Scheduled)
      )
        child++
      if (!isBefore(heap[child] as Scheduled, event)) break
      heap[at] = heap[child] as Scheduled
      at = child
    }
    heap[at] = event
  }
}

function isBefore(one: Scheduled, other: Scheduled): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order)
}

/** Everything that promises have set off has run: the event loop comes round only after them. */
export function settled(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve))
}
