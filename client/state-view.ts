import { callListener } from './observable.ts'

/**
 * A state as views want it: one object that stays the same until something in it changes, and a
 * call when it does. Values are compared by identity, one level deep.
 */
export class StateView<State extends object> {
  readonly #read: () => State
  readonly #subscribers = new Set<(state: State) => void>()
  #state: State | null = null

  constructor(read: () => State) {
    this.#read = read
  }

  current(): State {
    const state = this.#read()
    if (this.#state === null || !isEqual(this.#state, state)) this.#state = state
    return this.#state
  }

  subscribe(run: (state: State) => void): () => void {
    this.#subscribers.add(run)
    run(this.current())
    return () => {
      this.#subscribers.delete(run)
    }
  }

  /** Something may have changed. */
  refresh(): void {
    // Unobserved it costs nothing: this is called for every keystroke.
    if (this.#subscribers.size === 0) return
    const last = this.#state
    const state = this.current()
    if (state !== last) for (const run of [...this.#subscribers]) callListener(() => run(state))
  }

  close(): void {
    this.#subscribers.clear()
  }
}

function isEqual<State extends object>(left: State, right: State): boolean {
  return (Object.keys(right) as (keyof State)[]).every((key) => left[key] === right[key])
}
