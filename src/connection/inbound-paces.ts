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
    const { updatesPerSecond, bytesPerSecond } = this.#options.limits
    this.#updates ??= this.#pace([
      { option: 'updatesPerSecond', perSecond: updatesPerSecond, cost: () => 1 },
      { option: 'bytesPerSecond', perSecond: bytesPerSecond, cost: (size) => size },
    ])
    return this.#updates.pass(bytes, task)
  }

  /** For presence, of which only the latest counts. */
  presence<Result>(
    document: DocumentHandle,
    update: Uint8Array,
    task: () => Result,
  ): Result | Promise<Result> {
    const { presencePerSecond } = this.#options.limits
    this.#presence ??= this.#pace([
      { option: 'presencePerSecond', perSecond: presencePerSecond, cost: () => 1 },
    ])
    return this.#presence.pass(update.length, task, presenceKey(document, update))
  }

  /** What is held is taken now, before its session or connection ends. */
  release(): void {
    this.#updates?.release()
    this.#presence?.release()
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
