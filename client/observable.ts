import { ObservableV2 } from 'lib0/observable'

// oxlint-disable-next-line typescript/no-explicit-any -- as lib0's, which takes no narrower one
type Listeners<Events> = { [Name in keyof Events]: (...args: any[]) => void }

/**
 * Tells its listeners what happens, one after the other. One that throws is a fault of the application: it is reported as every
 * uncaught error, and keeps neither the other listeners from hearing nor the teller from going on.
 */
export class Observable<Events extends Listeners<Events>> extends ObservableV2<Events> {
  override emit<Name extends keyof Events & string>(
    name: Name,
    args: Parameters<Events[Name]>,
  ): void {
    // A copy: a listener may add and remove others, itself too.
    for (const listener of [...(this._observers.get(name) ?? [])])
      callListener(() => (listener as (...args: unknown[]) => unknown)(...args))
  }
}

/** Calls a function of the application; what it throws is reported and goes no further. */
export function callListener(call: () => unknown): void {
  try {
    call()
  } catch (error) {
    if (typeof reportError === 'function') reportError(error)
    else
      queueMicrotask(() => {
        throw error
      })
  }
}
