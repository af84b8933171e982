import type { DocumentHandle } from '../../protocol/index.ts'
import type { Clock } from '../clock.ts'
import type { DocumentError } from '../errors.ts'
import { Pace, type PaceLimit } from './pace.ts'

export interface InboundLimits {
  readonly updatesPerSecond: number
  readonly bytesPerSecond: number
  readonly presencePerSecond: number
}

interface InboundPacesOptions {
  readonly clock: Clock
  readonly limits: InboundLimits
  readonly handleLimitHit: (limit: string) => void
  readonly handleIgnored: (error: DocumentError) => void
  /** Reads no more of this connection, or goes on. */
  readonly setReading: (isReading: boolean) => void
}

/** How fast one connection may send. Made when the first message of a kind comes: most connections only read. */
export class InboundPaces {
  readonly #options: InboundPacesOptions
  #updates: Pace | null = null
  #presence: Pace | null = null
  /** How many of both hold something. */
  #holding = 0

  constructor(options: InboundPacesOptions) {
    this.#options = options
  }

  /** For updates, and chunks of large ones, which are in one order. */
  update<Result>(bytes: number, task: () => Result | Promise<Result>): Result | Promise<Result> {
    return this.#updatePace().pass(bytes, task)
  }

  /** Whether an update may be taken at once, which then counts: nearly every one may, and needs no closure to be held by. */
  tryUpdate(bytes: number): boolean {
    return this.#updatePace().tryPass(bytes)
  }

  /** For presence, of which only the latest counts. */
  presence<Result>(
    document: DocumentHandle,
    update: Uint8Array,
    task: () => Result,
  ): Result | Promise<Result> {
    return this.#presencePace().pass(update.length, task, presenceKey(document, update))
  }

  /** The same for presence. */
  tryPresence(bytes: number): boolean {
    return this.#presencePace().tryPass(bytes)
  }

  /** What is held is taken now, before its session or connection ends. */
  release(): void {
    this.#updates?.release()
    this.#presence?.release()
  }

  #updatePace(): Pace {
    const { updatesPerSecond, bytesPerSecond } = this.#options.limits
    return (this.#updates ??= this.#pace([
      { option: 'updatesPerSecond', perSecond: updatesPerSecond, cost: () => 1 },
      { option: 'bytesPerSecond', perSecond: bytesPerSecond, cost: (size) => size },
    ]))
  }

  #presencePace(): Pace {
    const { presencePerSecond } = this.#options.limits
    return (this.#presence ??= this.#pace([
      { option: 'presencePerSecond', perSecond: presencePerSecond, cost: () => 1 },
    ]))
  }

  #pace(limits: readonly PaceLimit[]): Pace {
    const { clock, handleLimitHit, handleIgnored, setReading } = this.#options
    const handleHolding = (isHolding: boolean): void => {
      this.#holding += isHolding ? 1 : -1
      setReading(this.#holding === 0)
    }
    return new Pace({ clock, limits, handleLimitHit, handleIgnored, handleHolding })
  }
}

/** A message about one client id makes an earlier one about the same id pointless; of others nothing is assumed. */
function presenceKey(document: DocumentHandle, update: Uint8Array): string | null {
  if (update[0] !== 1) return null
  const end = update.findIndex((byte, index) => index > 0 && byte < 0x80)
  return end < 0 ? null : `${document} ${update.subarray(1, end + 1).join(' ')}`
}
