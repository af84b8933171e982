import type { Awareness } from 'y-protocols/awareness'

/** Somebody in the document, with the state that he or she announced. */
export interface Participant<State = Record<string, unknown>> {
  /** The Yjs client id: one per Y.Doc, so a person with two windows is there twice. */
  readonly clientId: number
  readonly state: State
  /** This very client. */
  readonly isSelf: boolean
}

/** The states of an Awareness as React wants them: one array that stays the same until somebody announces something. */
export class AwarenessView {
  static readonly #views = new WeakMap<Awareness, AwarenessView>()
  readonly #awareness: Awareness
  #participants: readonly Participant[] | null = null

  static of(awareness: Awareness): AwarenessView {
    let view = AwarenessView.#views.get(awareness)
    if (view === undefined)
      AwarenessView.#views.set(awareness, (view = new AwarenessView(awareness)))
    return view
  }

  private constructor(awareness: Awareness) {
    this.#awareness = awareness
    // 'update', not 'change': a state that was mutated in place causes no 'change'.
    awareness.on('update', () => (this.#participants = null))
  }

  readonly subscribe = (run: () => void): (() => void) => {
    this.#awareness.on('update', run)
    return () => this.#awareness.off('update', run)
  }

  readonly getSnapshot = (): readonly Participant[] => {
    const { clientID } = this.#awareness
    this.#participants ??= [...this.#awareness.getStates()].map(([clientId, state]) => ({
      clientId,
      state,
      isSelf: clientId === clientID,
    }))
    return this.#participants
  }
}
