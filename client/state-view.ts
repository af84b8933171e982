import { callListener } from './observable.ts'

/**
 * A state as views want it: one object that stays the same until something in it changes, and a
 * call when it does. Values are compared by identity, one level deep.
 */
export class StateView<State extends object> {
  readonly #read: () => State
  /** With what each of them was told last: somebody who asks in between must not take a change away from them. */
  readonly #subscribers = new Map<(state: State) => void, State>()
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
    const state = this.current()
    this.#subscribers.set(run, state)
    run(state)
    return () => {
      this.#subscribers.delete(run)
    }
  }

  /** Something may have changed. */
  refresh(): void {
    // Unobserved it costs nothing: this is called for every keystroke.
    if (this.#subscribers.size === 0) return
    for (const run of [...this.#subscribers.keys()]) {
      const state = this.current()
      const told = this.#subscribers.get(run)
      const isGone = told === undefined
      if (isGone || told === state) continue
      this.#subscribers.set(run, state)
      callListener(() => run(state))
    }
  }

  close(): void {
    this.#subscribers.clear()
  }
}

function isEqual<State extends object>(left: State, right: State): boolean {
  return (Object.keys(right) as (keyof State)[]).every((key) => left[key] === right[key])
}
