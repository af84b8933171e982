import type { CancelTimer, Clock } from './clock.ts'

/** A tab that needs longer is busy or frozen: the next one is asked too. */
const PATIENCE_MS = 2000

interface TabQuestionsOptions {
  readonly clock: Clock
  /** Nobody is asked before; `resume` tells that it may have become true. */
  readonly mayAsk: () => boolean
  /** Asks a tab for what we lack by now. */
  readonly ask: (tab: string) => void
}

/**
 * Asks tabs for their content one after the other: the first one gives all of it, the others what it lacked, as a rule nothing. All at once
 * would give a newcomer the whole document as often as there are tabs.
 */
export class TabQuestions {
  readonly #options: TabQuestionsOptions
  readonly #waiting: string[] = []
  #asked: string | null = null
  #cancelPatience: CancelTimer | null = null

  constructor(options: TabQuestionsOptions) {
    this.#options = options
  }

  /** This tab would answer. */
  add(tab: string): void {
    if (!this.#waiting.includes(tab)) this.#waiting.push(tab)
    if (this.#asked === null) this.#askNext()
  }

  resume(): void {
    if (this.#asked === null) this.#askNext()
  }

  /** It has answered, or never will. */
  handleEnd(tab: string): void {
    const position = this.#waiting.indexOf(tab)
    if (this.#asked === tab) this.#askNext()
    else if (position >= 0) this.#waiting.splice(position, 1)
  }

  clear(): void {
    this.#waiting.splice(0)
    this.#askNext()
  }

  #askNext(): void {
    this.#cancelPatience?.()
    this.#cancelPatience = null
    const { clock, mayAsk, ask } = this.#options
    const next = mayAsk() ? this.#waiting.shift() : undefined
    this.#asked = next ?? null
    if (next === undefined) return
    this.#cancelPatience = clock.setTimer(PATIENCE_MS, () => this.#askNext())
    ask(next)
  }
}
