import type { Clock } from '../clock.ts'
import type { Room } from './room.ts'

/**
 * Lets rooms relay once this turn of the event loop is over, all those of one batch in one callback: one for each room took as long
 * as a relay to one listener.
 */
export class RelayTurn {
  readonly #clock: Clock
  #rooms: Room[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  add(room: Room): void {
    if (this.#rooms.push(room) > 1) return
    this.#clock.afterTurn(() => {
      const rooms = this.#rooms
      this.#rooms = []
      for (const due of rooms) due.schedule()
    })
  }
}
