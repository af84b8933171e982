import type { ConnectionCounts, Place } from './connection-counts.ts'
import { emitterListener } from './emitter-listener.ts'

/** What is used here of engine.io's socket. */
interface Closable {
  on(event: 'close', listener: (this: Closable) => void): unknown
  off(event: 'close', listener: (this: Closable) => void): unknown
}

/** What an engine connection has in one namespace. */
export interface Seat {
  /** It has a socket here: one TCP connection may not open a thousand. */
  isConnected: boolean
  /** Its credentials are being looked at: one question at a time. */
  isAdmitting: boolean
  /** Among the counted connections, for its socket here. */
  place: Place | null
}

/** The engine connections that have a socket in one namespace, or ask for one. They may have a socket in several, and are counted for each. */
export class Seats {
  readonly #counts: ConnectionCounts
  readonly #seats = new WeakMap<object, Seat>()
  readonly #handleClosed = emitterListener((engine: Closable) => this.leave(engine))

  constructor(counts: ConnectionCounts) {
    this.#counts = counts
  }

  of(engine: object): Seat {
    let seat = this.#seats.get(engine)
    if (seat === undefined) {
      seat = { isConnected: false, isAdmitting: false, place: null }
      this.#seats.set(engine, seat)
    }
    return seat
  }

  /** Counts it from now on. Throws `too-many-connections`. */
  take(engine: Closable, place: Place): void {
    // Of a socket that a middleware of the host has refused after us.
    this.leave(engine)
    this.#counts.assertRoom(place)
    this.#counts.add(place)
    this.of(engine).place = place
    engine.on('close', this.#handleClosed)
  }

  /** Counts it no longer. Idempotent. */
  leave(engine: Closable): void {
    const seat = this.of(engine)
    if (seat.place === null) return
    this.#counts.remove(seat.place)
    seat.place = null
    engine.off('close', this.#handleClosed)
  }
}
